-- KEYS: user, password. ARGV: nonce.
-- Takes back what is pending under the nonce; nothing else.
local u, why = read_user(KEYS[1])
if not u then return {why} end
if u.state == 'p' then
  if u.nonce == ARGV[1] then redis.call('UNLINK', KEYS[1], KEYS[2]) end
elseif string.match(u.pending, PENDING) == ARGV[1] then
  redis.call('SET', KEYS[1], format_user(u))
end
return {'ok'}
