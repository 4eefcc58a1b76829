-- KEYS: note. ARGV: lifetime in ms, text.
-- Keeps a text for a while, in place of what was there.
local expires = text(now_ms() + tonumber(ARGV[1]))
redis.call('SET', KEYS[1], '1 ' .. expires .. '\n' .. ARGV[2], 'PXAT', expires)
return {'ok'}
