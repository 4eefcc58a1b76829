-- KEYS: index. ARGV: limit.
-- Drops up to limit members whose session has expired; gives how many.
local old = redis.call('ZRANGE', KEYS[1], '-inf', '(' .. text(now_ms()), 'BYSCORE', 'LIMIT', 0, ARGV[1])
if #old > 0 then redis.call('ZREM', KEYS[1], unpack(old)) end
return {'ok', text(#old)}
