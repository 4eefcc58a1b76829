-- Stands in front of every script: time, and the reading and writing of
-- records. Scripts read and replace only the first line of a record; they
-- never parse its JSON.

-- Server time in milliseconds.
local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- Numbers stay below 2^53, so that doubles hold them exactly.
local function text(number)
  return string.format('%.0f', number)
end

local USER = '^1 ([pa]) (%S+) (%S+) (%-?%d+) (%-?%d+) (%S+) (%S+)\n([^\n]+)\n?(.*)$'
local PENDING = '^(%S+) (%-?%d+) (%S+) (%S+) (.+)$'
local DOCUMENT = '^{"times":%[(%d+),(%d+),(%-?%d+)%],"expires_at":"[^"]*","updated_at":"[^"]*"(,.+)$'

-- read_user gives the record, or nil and why not.
local function read_user(key)
  local raw = redis.call('GET', key)
  if not raw then return nil, 'absent' end
  local u = {raw = raw}
  u.state, u.who, u.nonce, u.created, u.updated, u.verified, u.locked, u.json, u.pending =
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

-- why_absent is active_user for who needs nothing of the user but that it is
-- there: nil if it is, and otherwise why not. It looks at no more than it must.
local function why_absent(key, who)
  local raw = redis.call('GET', key)
  if raw and string.find(raw, '1 a ' .. who .. ' ', 1, true) == 1 then return nil end
  local _, why = active_user(key, who)
  return why
end

-- format_user gives the stored form; it takes no pending change along unless
-- it is given one.
local function format_user(u, pending)
  local head = table.concat({'1', u.state, u.who, u.nonce, u.created, u.updated, u.verified, u.locked}, ' ')
  local raw = head .. '\n' .. u.json
  if pending and pending ~= '' then raw = raw .. '\n' .. pending end
  return raw
end

-- touch moves the time of the last update, strictly forward.
local function touch(u)
  u.updated = text(math.max(now_ms(), tonumber(u.updated) + 1))
end

-- session_times gives when a session ends and when it was updated last, in ms,
-- or nil if the record is none. A record is binary or JSON: session_record.go.
local function session_times(raw)
  if string.byte(raw) == 2 and #raw > 13 then return struct.unpack('>I6I6', raw, 2) end
  local expires, updated = string.match(raw, DOCUMENT)
  return tonumber(expires), tonumber(updated)
end

-- rfc3339 writes a time in ms. The days are turned into a date as in Hinnant,
-- "chrono-Compatible Low-Level Date Algorithms" (civil_from_days).
local function rfc3339(ms)
  local days, rest = math.floor(ms / 86400000), ms % 86400000
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%03dZ', year, month, doy - math.floor((153 * mp + 2) / 5) + 1,
    math.floor(rest / 3600000), math.floor(rest / 60000) % 60, math.floor(rest / 1000) % 60, rest % 1000)
end

-- session_moved gives the record with another end and update.
local function session_moved(raw, expires, updated)
  if string.byte(raw) == 2 then return '\2' .. struct.pack('>I6I6', expires, updated) .. string.sub(raw, 14) end
  local _, _, created, rest = string.match(raw, DOCUMENT)
  return string.format('{"times":[%s,%s,%s],"expires_at":"%s","updated_at":"%s"%s', text(expires), text(updated),
    created, rfc3339(expires), rfc3339(updated), rest)
end

-- A secure token: when it ends and began, when it was used or '-', what for, and
-- the nonce that its user had, which is another as soon as the email is.
local TOKEN = '^1 (%d+) (%d+) (%S+) (%S+) (%S+)$'

-- record_end gives when a session or a secure token ends, in ms, or nil if the
-- record is neither.
local function record_end(raw)
  return session_times(raw) or tonumber((string.match(raw, TOKEN)))
end

-- tidy drops what has ended from a hash of records and lets the hash live as
-- long as its last. All of a small hash is looked at. Of a large one some are
-- picked at random, and its life only prolonged: the work of one call stays
-- bounded, and what has ended goes as fast as new ones come. It gives how many
-- are left.
local function tidy(key, now, expires)
  local count = redis.call('HLEN', key)
  if count == 1 and expires then
    redis.call('PEXPIREAT', key, text(expires))
    return 1
  end
  local large = count > 128
  local all = large and redis.call('HRANDFIELD', key, 16, 'WITHVALUES') or redis.call('HGETALL', key)
  local last, old = expires or 0, {}
  for i = 1, #all, 2 do
    local ends = record_end(all[i + 1])
    if ends and ends < now then old[#old + 1] = all[i] end
    if ends and ends > last then last = ends end
  end
  if #old > 0 then redis.call('HDEL', key, unpack(old)) end
  if large then redis.call('PEXPIREAT', key, text(last), 'GT') else redis.call('PEXPIREAT', key, text(last)) end
  return count - #old
end

local LINK = '^1 ([pa]) (%S+) (%d+) (%-?%d+) (%S+) (%S+)\n(.+)$'

-- read_link takes apart what links a user to something that is the user's
-- alone, an account at a provider or a passkey: nil when it is none.
local function read_link(raw)
  local l = {raw = raw}
  l.state, l.nonce, l.deadline, l.created, l.used, l.group, l.json = string.match(raw, LINK)
  return l.state and l
end

-- save_link gives a link's field its new content.
local function save_link(key, field, l)
  l.raw = table.concat({'1', l.state, l.nonce, l.deadline, l.created, l.used, l.group}, ' ') .. '\n' .. l.json
  redis.call('HSET', key, field, l.raw)
end

-- claimed_link gives the link, which may be pending, and its user if it bears the
-- nonce of a claim; or nil and why not.
local function claimed_link(user, key, who, field, nonce)
  local u, why = active_user(user, who)
  if not u then return nil, why == 'absent' and 'gone' or why end
  local raw = redis.call('HGET', key, field)
  if not raw then return nil, 'gone' end
  local l = read_link(raw)
  if not l then return nil, 'corrupt' end
  if l.nonce ~= nonce then return nil, 'gone' end
  return l, u
end

-- has_link says whether there is a finished link: a way to log in.
local function has_link(key)
  for _, raw in ipairs(redis.call('HVALS', key)) do
    local l = read_link(raw)
    if l and l.state == 'a' then return true end
  end
  return false
end

-- append_dropped gives how many links are under a key and, for the release of
-- their claims, field and nonce of each.
local function append_dropped(key, reply)
  local at = #reply + 1
  reply[at] = '0'
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local l = read_link(all[i + 1])
    if l then reply[#reply + 1] = all[i] .. l.nonce end
  end
  reply[at] = text(#reply - at)
  return reply
end

local PURPOSES = {magic_link = true, password_reset = true, email_verification = true}

-- live_token gives a secure token that can be used for the purpose, with its
-- user; or nil and why not. All that keeps it from being used is 'absent', to
-- which a change of the email that it was made for counts.
local function live_token(user, key, member, purpose)
  local raw = redis.call('HGET', key, member)
  if not raw then return nil, 'absent' end
  local t = {}
  t.expires, t.created, t.used, t.purpose, t.nonce = string.match(raw, TOKEN)
  if not PURPOSES[t.purpose or ''] then return nil, 'corrupt' end
  local u, why = read_user(user)
  if not u then return nil, why end
  t.user = u
  if u.state ~= 'a' or u.nonce ~= t.nonce then return nil, 'absent' end
  if t.used ~= '-' or t.purpose ~= purpose or tonumber(t.expires) <= now_ms() then return nil, 'absent' end
  return t
end

-- use_token notes that a token was used, and gives its record.
local function use_token(key, member, t)
  local raw = table.concat({'1', t.expires, t.created, text(now_ms()), t.purpose, t.nonce}, ' ')
  redis.call('HSET', key, member, raw)
  return raw
end

-- is_password says whether a password has the hash, or '' for any.
local function is_password(key, hash)
  return hash == '' or redis.call('GET', key) == hash
end

-- replace_password sets another one and logs the user out everywhere. It also
-- drops what was mailed and not used that would let in or set a password again:
-- whoever knew the one before may have asked for it.
local function replace_password(key, hash, sessions, tokens)
  redis.call('SET', key, hash)
  redis.call('UNLINK', sessions)
  local all, doomed = redis.call('HGETALL', tokens), {}
  for i = 1, #all, 2 do
    local _, _, used, purpose = string.match(all[i + 1], TOKEN)
    if used == '-' and purpose ~= 'email_verification' then doomed[#doomed + 1] = all[i] end
  end
  if #doomed > 0 then redis.call('HDEL', tokens, unpack(doomed)) end
end
