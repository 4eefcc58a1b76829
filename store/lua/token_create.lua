-- KEYS: user, tokens. ARGV: who, member, lifetime in ms, purpose, the greatest
-- number of a user.
local why = why_absent(KEYS[1], ARGV[1])
if why then return {why} end
if redis.call('HLEN', KEYS[2]) >= tonumber(ARGV[5]) then return {'full'} end
local now = now_ms()
local expires = now + tonumber(ARGV[3])
local raw = table.concat({'1', text(expires), text(now), '-', ARGV[4]}, ' ')
if redis.call('HSETNX', KEYS[2], ARGV[2], raw) == 0 then return {'taken'} end
tidy(KEYS[2], now, expires)
return {'ok', raw}
