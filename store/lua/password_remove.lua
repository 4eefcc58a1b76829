-- KEYS: user, password, OAuth accounts, passkeys. ARGV: who, '1' to refuse the
-- last way to log in.
local why = why_absent(KEYS[1], ARGV[1])
if why then return {why} end
local last = redis.call('EXISTS', KEYS[2]) == 1 and not has_link(KEYS[3]) and not has_link(KEYS[4])
if ARGV[2] == '1' and last then return {'last'} end
redis.call('UNLINK', KEYS[2])
return {'ok'}
