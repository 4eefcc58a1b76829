-- KEYS: user, links. ARGV: who.
-- Gives the user's finished links, in no order.
local u, why = active_user(KEYS[1], ARGV[1])
if not u then return {why} end
local reply = {'ok'}
for _, raw in ipairs(redis.call('HVALS', KEYS[2])) do
  local l = read_link(raw)
  if not l then return {'corrupt'} end
  if l.state == 'a' then reply[#reply + 1] = raw end
end
return reply
