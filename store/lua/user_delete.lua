-- KEYS: user, OAuth accounts, passkeys, and whatever else is the user's. ARGV:
-- who.
-- Removes the user with all that belongs to it, also one whose creation is pending:
-- whoever does not know what came of a creation can undo it. Gives the record, for
-- the release of its email claim, and what is needed for that of the links' claims.
local u, why = read_user(KEYS[1])
if not u then return {why} end
if u.who ~= ARGV[1] then return {'absent'} end
local reply = append_dropped(KEYS[3], append_dropped(KEYS[2], {'ok', u.raw}))
redis.call('UNLINK', unpack(KEYS))
return reply
