-- KEYS: note.
-- Gives a note that has not expired and removes it: of those who ask at once,
-- one gets it.
local raw = redis.call('GET', KEYS[1])
if not raw then return {'absent'} end
local expires = string.match(raw, '^1 (%d+)\n')
if not expires then return {'corrupt'} end
redis.call('UNLINK', KEYS[1])
if tonumber(expires) <= now_ms() then return {'absent'} end
return {'ok', raw}
