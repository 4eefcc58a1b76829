-- KEYS: user. ARGV: who, version, nonce, window in ms, verified, locked, json.
-- Step 1 of a change of email: notes the new record beside the old one, which
-- stays in force until user_commit. Any other write drops the note.
local u, why = active_user(KEYS[1], ARGV[1])
if not u then return {why} end
if u.updated ~= ARGV[2] then return {'conflict'} end
local now = now_ms()
if u.pending ~= '' then
  local deadline = tonumber(string.match(u.pending, '^%S+ (%-?%d+)') or 0)
  if deadline >= now then return {'conflict'} end
end
local pending = table.concat({ARGV[3], text(now + tonumber(ARGV[4])), ARGV[5], ARGV[6], ARGV[7]}, ' ')
redis.call('SET', KEYS[1], format_user(u, pending))
return {'ok'}
