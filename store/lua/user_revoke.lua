-- KEYS: user, sessions. ARGV: who.
-- Logs the user out everywhere. It writes nothing but deletes: a server that is
-- out of memory must not refuse a log-out.
local why = why_absent(KEYS[1], ARGV[1])
if why then return {why} end
redis.call('UNLINK', KEYS[2])
return {'ok'}
