-- KEYS: user, index, garbage. ARGV: who, page.
-- Removes the user, and with the record every session. The index is set aside
-- as in user_revoke. Gives the record, for the release of its email claim.
local u, why = active_user(KEYS[1], ARGV[1])
if not u then return {why} end
redis.call('UNLINK', KEYS[1])
if redis.call('EXISTS', KEYS[2]) == 0 then return {'ok', u.raw} end
redis.call('RENAME', KEYS[2], KEYS[3])
return append_page(KEYS[3], tonumber(ARGV[2]), {'ok', u.raw})
