-- KEYS: user, sessions. ARGV: limit, cursor ('0' at first).
-- Gives the next cursor ('0' at the end), the user's record ('' if there is
-- none), and members and records in turn: about as many as the limit, or all of
-- a small hash. What is there all the time comes at least once.
local scanned = redis.call('HSCAN', KEYS[2], ARGV[2], 'COUNT', ARGV[1])
local reply = {'ok', scanned[1], redis.call('GET', KEYS[1]) or ''}
for _, text in ipairs(scanned[2]) do reply[#reply + 1] = text end
return reply
