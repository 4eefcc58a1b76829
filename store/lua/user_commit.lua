-- KEYS: user, password. ARGV: nonce of an email claim.
-- Step 3 of a creation or of a change of email, run by whoever needs to know:
-- it completes what is pending under the nonce and in time. It may run any
-- number of times. 'ok' says that the claim is live, 'gone' that it is dead
-- for ever: what is past its deadline is dropped, so that a clock that a failover
-- turns back revives nothing.
local u, why = read_user(KEYS[1])
if not u then return {why == 'absent' and 'gone' or why} end
if u.nonce == ARGV[1] then
  if u.state == 'a' then return {'ok', u.raw} end
  u.state = 'a'
  local raw = format_user(u)
  redis.call('SET', KEYS[1], raw)
  redis.call('PERSIST', KEYS[2])
  return {'ok', raw}
end
if u.state ~= 'a' or u.pending == '' then return {'gone'} end
local nonce, deadline, verified, locked, json = string.match(u.pending, PENDING)
if not nonce then return {'corrupt'} end
if nonce ~= ARGV[1] then return {'gone'} end
if now_ms() > tonumber(deadline) then
  redis.call('SET', KEYS[1], format_user(u))
  return {'gone'}
end
u.nonce, u.verified, u.locked, u.json = nonce, verified, locked, json
touch(u)
local raw = format_user(u)
redis.call('SET', KEYS[1], raw)
return {'ok', raw}
