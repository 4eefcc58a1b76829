-- KEYS: user, links. ARGV: who, field, nonce of the claim.
-- Step 3 of linking, run by whoever needs to know. It may run any number of
-- times. 'ok' says that the claim is live, 'gone' that it is dead for ever: what
-- is past its deadline is removed, so that it stays dead on any clock.
local l, u = claimed_link(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3])
if not l then return {u} end
if l.state == 'p' then
  if now_ms() > tonumber(l.deadline) then
    redis.call('HDEL', KEYS[2], ARGV[2])
    return {'gone'}
  end
  l.state = 'a'
  save_link(KEYS[2], ARGV[2], l)
end
return {'ok', l.raw, u.raw}
