-- KEYS: user, sessions. ARGV: member, lifetime in ms.
-- Moves the end of a live session; one that has expired or was revoked is not
-- revived. Gives the record and the user's.
local raw = redis.call('HGET', KEYS[2], ARGV[1])
if not raw then return {'absent'} end
local expires, updated = session_times(raw)
if not expires then return {'corrupt'} end
local u, why = read_user(KEYS[1])
if not u then return {why} end
local now = now_ms()
if u.state ~= 'a' or now > expires then return {'absent'} end
local moved = now + tonumber(ARGV[2])
raw = session_moved(raw, moved, math.max(now, updated + 1))
redis.call('HSET', KEYS[2], ARGV[1], raw)
if moved < expires then
  tidy(KEYS[2], now)
else
  redis.call('PEXPIREAT', KEYS[2], text(moved), 'GT')
end
return {'ok', raw, u.raw}
