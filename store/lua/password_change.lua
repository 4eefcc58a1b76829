-- KEYS: user, password, sessions. ARGV: who, hash.
-- Sets a password and logs the user out everywhere, both or neither.
local why = why_absent(KEYS[1], ARGV[1])
if why then return {why} end
redis.call('SET', KEYS[2], ARGV[2])
redis.call('UNLINK', KEYS[3])
return {'ok'}
