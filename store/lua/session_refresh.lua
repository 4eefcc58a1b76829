-- KEYS: user, index, session. ARGV: member, lifetime in ms.
-- Moves the end of a live session; one that has expired or was revoked is not
-- revived.
local raw = redis.call('GET', KEYS[3])
if not raw then return {'absent'} end
local epoch, expires, updated, json = string.match(raw, SESSION)
if not epoch then return {'corrupt'} end
local u, why = read_user(KEYS[1])
if not u then return {why} end
local now = now_ms()
if u.state ~= 'a' or u.epoch ~= epoch or now > tonumber(expires) then return {'absent'} end
expires = now + tonumber(ARGV[2])
updated = math.max(now, tonumber(updated) + 1)
raw = table.concat({'1', epoch, text(expires), text(updated)}, ' ') .. '\n' .. json
redis.call('SET', KEYS[3], raw, 'PXAT', text(expires))
index_add(KEYS[2], ARGV[1], expires)
return {'ok', raw}
