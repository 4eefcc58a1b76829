-- KEYS: user, password. ARGV: who, nonce, window in ms, verified, json, the hash
-- of a password or ''.
-- Step 1 of a creation: a pending record, and the password with it, that vanish
-- by themselves unless user_commit makes them stay within the window.
local u, why = read_user(KEYS[1])
if u and u.nonce == ARGV[2] then return {'ok', u.raw} end
if u or why ~= 'absent' then return {'taken'} end
local ms = text(now_ms())
u = {state = 'p', who = ARGV[1], nonce = ARGV[2],
  created = ms, updated = ms, verified = ARGV[4], locked = '-', json = ARGV[5]}
local raw = format_user(u)
redis.call('SET', KEYS[1], raw, 'PX', ARGV[3])
if ARGV[6] ~= '' then redis.call('SET', KEYS[2], ARGV[6], 'PX', ARGV[3]) end
return {'ok', raw}
