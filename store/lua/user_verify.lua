-- KEYS: user. ARGV: who.
-- Marks the email as verified now.
local u, why = active_user(KEYS[1], ARGV[1])
if not u then return {why} end
u.verified = text(now_ms())
touch(u)
local raw = format_user(u)
redis.call('SET', KEYS[1], raw)
return {'ok', raw}
