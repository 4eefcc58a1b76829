-- ARGV: a time.
-- Gives how many attempts were made then or later, and when the last was.
local count = redis.call('ZCOUNT', KEYS[1], ARGV[1], '+inf')
if count == 0 then return {'ok', '0', '-'} end
return {'ok', text(count), text(tonumber(redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]))}
