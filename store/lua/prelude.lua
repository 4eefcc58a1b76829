-- Stands in front of every script: time, and the reading and writing of
-- records. Scripts read and replace only the first line of a record; they
-- never parse its JSON.

-- Server time in milliseconds, and in microseconds.
local function now_us()
  local t = redis.call('TIME')
  return t[1] * 1000000 + t[2]
end
local function now_ms()
  return math.floor(now_us() / 1000)
end

-- Numbers stay below 2^53, so that doubles hold them exactly.
local function text(number)
  return string.format('%.0f', number)
end

local USER = '^1 ([pa]) (%S+) (%S+) (%d+) (%-?%d+) (%-?%d+) (%S+) (%S+)\n([^\n]+)\n?(.*)$'
local PENDING = '^(%S+) (%-?%d+) (%S+) (%S+) (.+)$'
local SESSION = '^1 (%d+) (%-?%d+) (%-?%d+)\n(.+)$'

-- read_user gives the record, or nil and why not.
local function read_user(key)
  local raw = redis.call('GET', key)
  if not raw then return nil, 'absent' end
  local u = {raw = raw}
  u.state, u.who, u.nonce, u.epoch, u.created, u.updated, u.verified, u.locked, u.json, u.pending =
    string.match(raw, USER)
  if not u.state then return nil, 'corrupt' end
  return u
end

-- active_user is read_user for a finished record of the user that ARGV names:
-- another user with the same tag, and one that is still being created, are
-- absent.
local function active_user(key, who)
  local u, why = read_user(key)
  if not u then return nil, why end
  if u.state ~= 'a' or u.who ~= who then return nil, 'absent' end
  return u
end

-- format_user gives the stored form; it takes no pending change along unless
-- it is given one.
local function format_user(u, pending)
  local head = table.concat({'1', u.state, u.who, u.nonce, u.epoch, u.created, u.updated, u.verified, u.locked}, ' ')
  local raw = head .. '\n' .. u.json
  if pending and pending ~= '' then raw = raw .. '\n' .. pending end
  return raw
end

-- touch moves the time of the last update, strictly forward.
local function touch(u)
  u.updated = text(math.max(now_ms(), tonumber(u.updated) + 1))
end

-- index_settle lets an index live as long as its last member.
local function index_settle(key)
  local last = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')
  if last[2] then redis.call('PEXPIREAT', key, text(tonumber(last[2]))) end
end

-- index_add puts a session into its user's index and drops a bounded number of
-- expired ones.
local function index_add(key, member, expires)
  local old = redis.call('ZRANGE', key, '-inf', '(' .. text(now_ms()), 'BYSCORE', 'LIMIT', 0, 64)
  if #old > 0 then redis.call('ZREM', key, unpack(old)) end
  redis.call('ZADD', key, text(expires), member)
  index_settle(key)
end

-- append_page gives up to limit members of a sorted set, after the words that
-- the reply begins with. They stay in the set until they are dealt with.
local function append_page(key, limit, reply)
  for _, member in ipairs(redis.call('ZRANGE', key, 0, limit - 1)) do reply[#reply + 1] = member end
  return reply
end
