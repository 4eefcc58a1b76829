-- KEYS: index. ARGV: limit, cursor ('0' at first).
-- Gives the next cursor ('0' at the end) and about as many members. A scan
-- goes by member and not by score: who is there all the time comes at least
-- once, however often its end moves meanwhile.
local scanned = redis.call('ZSCAN', KEYS[1], ARGV[2], 'COUNT', ARGV[1])
local reply = {'ok', scanned[1]}
for i = 1, #scanned[2], 2 do reply[#reply + 1] = scanned[2][i] end
return reply
