-- KEYS: user. ARGV: who, nonce of an email claim, locked.
-- Sets or takes away the hint that the user is locked, if the record bears the
-- nonce; 'gone' says that it does not.
local u, why = active_user(KEYS[1], ARGV[1])
if not u then return {why} end
if u.nonce ~= ARGV[2] then return {'gone'} end
if u.locked == ARGV[3] then return {'ok'} end
u.locked = ARGV[3]
touch(u)
-- A delete comes first: a server that is out of memory refuses a script only at
-- its first write, and must let people in again.
if ARGV[3] == '-' then redis.call('UNLINK', KEYS[1]) end
redis.call('SET', KEYS[1], format_user(u))
return {'ok'}
