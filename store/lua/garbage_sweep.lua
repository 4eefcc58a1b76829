-- KEYS: garbage, user, sessions. ARGV: page, the members of the sessions in the
-- same order.
-- Removes sessions of an index that was set aside, then their members, and
-- gives the next page: what a crash interrupts can be taken up again. A session
-- that bears its user's present epoch is alive and stays; its token was used
-- again.
local members = {unpack(ARGV, 2)}
if #members > 0 then
  local u = read_user(KEYS[2])
  local dead = {}
  for i, raw in ipairs(redis.call('MGET', unpack(KEYS, 3))) do
    if raw and not (u and string.match(raw, SESSION) == u.epoch) then dead[#dead + 1] = KEYS[i + 2] end
  end
  if #dead > 0 then redis.call('UNLINK', unpack(dead)) end
  redis.call('ZREM', KEYS[1], unpack(members))
end
return append_page(KEYS[1], tonumber(ARGV[1]), {'ok'})
