-- KEYS: user, password, sessions, tokens. ARGV: who, hash, the hash that is to be
-- replaced or '' for any.
-- Sets a password and ends what the one before has let in: all or nothing.
local why = why_absent(KEYS[1], ARGV[1])
if why then return {why} end
if not is_password(KEYS[2], ARGV[3]) then return {'conflict'} end
replace_password(KEYS[2], ARGV[2], KEYS[3], KEYS[4])
return {'ok'}
