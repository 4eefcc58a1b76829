-- KEYS: user, sessions. ARGV: who, member, expires, record.
-- Stores a session of an active user.
local why = why_absent(KEYS[1], ARGV[1])
if why then return {why} end
local now, expires = now_ms(), tonumber(ARGV[3])
if expires <= now then return {'past'} end
if redis.call('HSETNX', KEYS[2], ARGV[2], ARGV[4]) == 0 then
  if now <= (session_times(redis.call('HGET', KEYS[2], ARGV[2])) or now) then return {'taken'} end
  redis.call('HSET', KEYS[2], ARGV[2], ARGV[4])
end
tidy(KEYS[2], now, expires)
return {'ok'}
