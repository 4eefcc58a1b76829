-- KEYS: user. ARGV: who, version, verified, locked, json.
-- Replaces the record, except its email, if it still has the version that the
-- caller has read.
local u, why = active_user(KEYS[1], ARGV[1])
if not u then return {why} end
if u.updated ~= ARGV[2] then return {'conflict'} end
u.verified, u.locked, u.json = ARGV[3], ARGV[4], ARGV[5]
touch(u)
local raw = format_user(u)
redis.call('SET', KEYS[1], raw)
return {'ok', raw}
