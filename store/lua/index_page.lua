-- KEYS: index. ARGV: limit, score and member that the last page ended with, or
-- '' and ''.
-- Gives members and scores, in turn. When the last page's end is gone by now
-- the page begins with its score: a member may come twice, none is left out.
local from = 0
if ARGV[3] ~= '' then
  local rank = redis.call('ZRANK', KEYS[1], ARGV[3])
  from = rank and rank + 1 or redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. ARGV[2])
end
local page = redis.call('ZRANGE', KEYS[1], from, from + tonumber(ARGV[1]) - 1, 'WITHSCORES')
table.insert(page, 1, 'ok')
return page
