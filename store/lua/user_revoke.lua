-- KEYS: user, index, garbage. ARGV: who, page.
-- Logs the user out everywhere: with the raised epoch every older session is
-- dead. The index is set aside under the garbage key, whatever its size, and
-- its first page of members is given.
local u, why = active_user(KEYS[1], ARGV[1])
if not u then return {why} end
-- A delete comes first: a server that is out of memory refuses a script only
-- at its first write, and must not refuse a log-out.
redis.call('UNLINK', KEYS[3])
u.epoch = text(math.max(now_us(), tonumber(u.epoch) + 1))
redis.call('SET', KEYS[1], format_user(u, u.pending))
if redis.call('EXISTS', KEYS[2]) == 0 then return {'ok'} end
redis.call('RENAME', KEYS[2], KEYS[3])
return append_page(KEYS[3], tonumber(ARGV[2]), {'ok'})
