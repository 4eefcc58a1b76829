-- KEYS: user, password, sessions, tokens. ARGV: member, purpose, hash.
-- Uses a token up, sets the password and logs the user out everywhere: all or
-- nothing.
local t, why = live_token(KEYS[1], KEYS[4], ARGV[1], ARGV[2])
if not t then return {why} end
redis.call('SET', KEYS[2], ARGV[3])
redis.call('UNLINK', KEYS[3])
use_token(KEYS[4], ARGV[1], t)
return {'ok', t.user.raw}
