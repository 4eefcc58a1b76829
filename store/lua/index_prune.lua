-- KEYS: index, sessions. ARGV: their members, in the same order.
-- Drops the members whose session is gone.
local pruned = 0
for i, member in ipairs(ARGV) do
  if redis.call('EXISTS', KEYS[i + 1]) == 0 then
    pruned = pruned + redis.call('ZREM', KEYS[1], member)
  end
end
index_settle(KEYS[1])
return {'ok', text(pruned)}
