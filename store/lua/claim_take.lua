-- KEYS: claim. ARGV: claim, the dead claim that it may replace or ''.
-- Step 2 of whatever needs something that nobody else may have.
local current = redis.call('GET', KEYS[1])
if current and current ~= ARGV[1] and current ~= ARGV[2] then return {'taken', current} end
redis.call('SET', KEYS[1], ARGV[1])
return {'ok'}
