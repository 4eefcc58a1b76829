-- KEYS: user, tokens. ARGV: who, member, lifetime in ms, purpose, the greatest
-- number of a user, to which what has ended does not count.
-- Gives the token's record and the user's, whose email the token is for.
local function drop_ended(key, now)
  local all, old = redis.call('HGETALL', key), {}
  for i = 1, #all, 2 do
    local ends = record_end(all[i + 1])
    if ends and ends < now then old[#old + 1] = all[i] end
  end
  if #old > 0 then redis.call('HDEL', key, unpack(old)) end
end

local u, why = active_user(KEYS[1], ARGV[1])
if not u then return {why} end
local now, most = now_ms(), tonumber(ARGV[5])
if redis.call('HLEN', KEYS[2]) >= most then
  drop_ended(KEYS[2], now)
  if redis.call('HLEN', KEYS[2]) >= most then return {'full'} end
end
local expires = now + tonumber(ARGV[3])
local raw = table.concat({'1', text(expires), text(now), '-', ARGV[4], u.nonce}, ' ')
if redis.call('HSETNX', KEYS[2], ARGV[2], raw) == 0 then return {'taken'} end
tidy(KEYS[2], now, expires)
return {'ok', raw, u.raw}
