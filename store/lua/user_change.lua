-- KEYS: user. ARGV: who, version, nonce, next nonce, window in ms, verified,
-- locked, json.
-- Step 1 of a change of email: notes the new record beside the old one, which
-- stays in force until user_commit. Any other write drops the note. Version and
-- nonce are compared as in user_update.
local u, why = active_user(KEYS[1], ARGV[1])
if not u then return {why} end
if u.updated ~= ARGV[2] or u.nonce ~= ARGV[3] then return {'conflict'} end
local now = now_ms()
local _, deadline = string.match(u.pending, PENDING)
if deadline and tonumber(deadline) >= now then return {'conflict'} end
local pending = table.concat({ARGV[4], text(now + tonumber(ARGV[5])), ARGV[6], ARGV[7], ARGV[8]}, ' ')
redis.call('SET', KEYS[1], format_user(u, pending))
return {'ok'}
