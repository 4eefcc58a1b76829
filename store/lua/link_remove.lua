-- KEYS: user, links, the user's links of the other kind, password. ARGV: who,
-- '1' to refuse the last way to log in, group or '', field or '', nonce.
-- Removes the links of a group, or the one under a field if it bears the nonce,
-- or all. What is pending goes too. Question and removal are one step, so that
-- two removals at once cannot each spare the other.
local u, why = active_user(KEYS[1], ARGV[1])
if not u then return {why} end
local doomed, reply, loses, keeps = {}, {'ok'}, false, false
local all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  local field, l = all[i], read_link(all[i + 1])
  if not l then return {'corrupt'} end
  local active = l.state == 'a'
  if (ARGV[3] == '' or ARGV[3] == l.group) and (ARGV[4] == '' or ARGV[4] == field and ARGV[5] == l.nonce) then
    doomed[#doomed + 1] = field
    reply[#reply + 1] = field .. l.nonce
    loses = loses or active
  else
    keeps = keeps or active
  end
end
local last = loses and not keeps and not has_link(KEYS[3]) and redis.call('EXISTS', KEYS[4]) == 0
if ARGV[2] == '1' and last then return {'last'} end
if #doomed > 0 then redis.call('HDEL', KEYS[2], unpack(doomed)) end
return reply
