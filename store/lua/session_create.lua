-- KEYS: user, sessions. ARGV: who, member, expires, record, the greatest number
-- of a user.
-- Stores a session of an active user. Where there are too many then, those that
-- would end first end now.
local function make_room(key, new, surplus)
  local large = redis.call('HLEN', key) > 128
  local all = large and redis.call('HRANDFIELD', key, 64, 'WITHVALUES') or redis.call('HGETALL', key)
  local others = {}
  for i = 1, #all, 2 do
    -- What cannot be read may be of a version to come: it goes last.
    if all[i] ~= new then others[#others + 1] = {all[i], session_times(all[i + 1]) or math.huge} end
  end
  table.sort(others, function(a, b)
    if a[2] ~= b[2] then return a[2] < b[2] end
    return a[1] < b[1]
  end)
  for i = 1, math.min(surplus, #others) do redis.call('HDEL', key, others[i][1]) end
end

local why = why_absent(KEYS[1], ARGV[1])
if why then return {why} end
local now, expires = now_ms(), tonumber(ARGV[3])
if expires <= now then return {'past'} end
if redis.call('HSETNX', KEYS[2], ARGV[2], ARGV[4]) == 0 then
  if now <= (session_times(redis.call('HGET', KEYS[2], ARGV[2])) or now) then return {'taken'} end
  redis.call('HSET', KEYS[2], ARGV[2], ARGV[4])
end
local surplus = tidy(KEYS[2], now, expires) - tonumber(ARGV[5])
if surplus > 0 then make_room(KEYS[2], ARGV[2], surplus) end
return {'ok'}
