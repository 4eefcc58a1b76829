-- KEYS: user, OAuth accounts, passkeys, and whatever else is the user's. ARGV:
-- who.
-- Removes the user with all that belongs to it. Gives the record, for the
-- release of its email claim, and what is needed for that of the links' claims.
local u, why = active_user(KEYS[1], ARGV[1])
if not u then return {why} end
local reply = append_dropped(KEYS[3], append_dropped(KEYS[2], {'ok', u.raw}))
redis.call('UNLINK', unpack(KEYS))
return reply
