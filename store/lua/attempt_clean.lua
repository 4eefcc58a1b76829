-- ARGV: a time, the claim whose user bears no hint or ''.
-- Removes the attempts made before then, unless the email has another claim,
-- whose user has to be looked at first. Gives how many.
local old = redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. ARGV[1])
local claim = redis.call('GET', KEYS[4])
if old > 0 and claim and claim ~= ARGV[2] then return {'taken', claim} end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[1])
return {'ok', text(old)}
