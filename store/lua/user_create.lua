-- KEYS: user. ARGV: who, nonce, window in ms, verified, json.
-- Step 1 of a creation: a pending record that vanishes by itself unless
-- user_commit makes it active within the window.
local u, why = read_user(KEYS[1])
if u and u.nonce == ARGV[2] then return {'ok', u.raw} end
if u or why ~= 'absent' then return {'taken'} end
local us = now_us()
local ms = text(math.floor(us / 1000))
u = {state = 'p', who = ARGV[1], nonce = ARGV[2], epoch = text(us),
  created = ms, updated = ms, verified = ARGV[4], locked = '-', json = ARGV[5]}
local raw = format_user(u)
redis.call('SET', KEYS[1], raw, 'PX', ARGV[3])
return {'ok', raw}
