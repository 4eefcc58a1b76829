-- KEYS: user. ARGV: who, version, nonce, verified, locked, json.
-- Replaces the record, except its email, if it still is the one that the
-- caller has read: the version alone is not enough, because an id that was
-- deleted and created again may bear the same millisecond.
local u, why = active_user(KEYS[1], ARGV[1])
if not u then return {why} end
if u.updated ~= ARGV[2] or u.nonce ~= ARGV[3] then return {'conflict'} end
u.verified, u.locked, u.json = ARGV[4], ARGV[5], ARGV[6]
touch(u)
local raw = format_user(u)
redis.call('SET', KEYS[1], raw)
return {'ok', raw}
