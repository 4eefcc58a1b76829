-- KEYS: user, password. ARGV: who, hash, the hash that is to be replaced or '' for
-- any.
local why = why_absent(KEYS[1], ARGV[1])
if why then return {why} end
if not is_password(KEYS[2], ARGV[3]) then return {'conflict'} end
redis.call('SET', KEYS[2], ARGV[2])
return {'ok'}
