-- KEYS: sessions. ARGV: member.
if redis.call('HDEL', KEYS[1], ARGV[1]) == 1 then tidy(KEYS[1], now_ms()) end
return {'ok'}
