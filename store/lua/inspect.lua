-- KEYS: any. ARGV: limit.
-- Gives type, remaining life in ms (-1 none, -2 absent) and content.
local kind = redis.call('TYPE', KEYS[1]).ok
local reply = {kind, text(redis.call('PTTL', KEYS[1]))}
if kind == 'string' then reply[3] = redis.call('GET', KEYS[1]) end
if kind == 'hash' then
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, math.min(#all, 2 * ARGV[1]) do reply[#reply + 1] = all[i] end
end
if kind == 'zset' then
  for _, value in ipairs(redis.call('ZRANGE', KEYS[1], 0, ARGV[1] - 1, 'WITHSCORES')) do reply[#reply + 1] = value end
end
return reply
