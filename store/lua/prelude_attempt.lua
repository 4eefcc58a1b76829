-- Stands in front of the scripts about failed attempts, after the prelude. All
-- of them have the KEYS attempts, lock, hold, claim of one email.

-- lockout gives how many attempts lie in the window that ends now, and until
-- when they lock, or nil if they do not; nothing at all for a corrupt lock. Its
-- ARGV come first: period in ms, maximum, 'sticky' or 'window'.
local function lockout(now)
  local period = tonumber(ARGV[1])
  local count = redis.call('ZCOUNT', KEYS[1], text(now - period), '+inf')
  local ends = 0
  if count >= tonumber(ARGV[2]) then
    ends = tonumber(redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]) + period
  end
  local lock = ARGV[3] == 'sticky' and redis.call('GET', KEYS[2])
  if lock then
    if not string.match(lock, '^%d+$') then return nil end
    ends = math.max(ends, tonumber(lock))
  end
  if ends <= now then ends = nil end
  return count, ends
end

local function optional(number)
  return number and text(number) or '-'
end
