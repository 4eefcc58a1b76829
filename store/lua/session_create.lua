-- KEYS: user, index, session. ARGV: who, member, expires, updated, json.
-- Stores a session under the user's present epoch.
local u, why = active_user(KEYS[1], ARGV[1])
if not u then return {why} end
local expires = tonumber(ARGV[3])
if expires <= now_ms() then return {'past'} end
local raw = table.concat({'1', u.epoch, ARGV[3], ARGV[4]}, ' ') .. '\n' .. ARGV[5]
if not redis.call('SET', KEYS[3], raw, 'PXAT', ARGV[3], 'NX') then return {'taken'} end
index_add(KEYS[2], ARGV[2], expires)
return {'ok'}
