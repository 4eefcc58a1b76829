-- KEYS: entry, floor. ARGV: version, entry, ttl in ms.
-- Stores a copy unless it is older than the floor that an invalidation has
-- set, or than the copy that is there.
local version = tonumber(ARGV[1])
local floor = tonumber(redis.call('GET', KEYS[2]) or '')
if floor and version < floor then return {'refused'} end
local there = tonumber(string.match(redis.call('GET', KEYS[1]) or '', '^(%-?%d+)\n') or '')
if there and version < there then return {'refused'} end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return {'ok'}
