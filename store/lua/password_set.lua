-- KEYS: user, password. ARGV: who, hash.
local why = why_absent(KEYS[1], ARGV[1])
if why then return {why} end
redis.call('SET', KEYS[2], ARGV[2])
return {'ok'}
