-- KEYS: user, password, sessions, tokens. ARGV: member, purpose, hash.
-- Uses a token up, sets the password and ends what the one before has let in: all
-- or nothing.
local t, why = live_token(KEYS[1], KEYS[4], ARGV[1], ARGV[2])
if not t then return {why} end
use_token(KEYS[4], ARGV[1], t)
replace_password(KEYS[2], ARGV[3], KEYS[3], KEYS[4])
return {'ok', t.user.raw}
