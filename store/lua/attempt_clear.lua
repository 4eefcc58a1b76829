-- ARGV: period, maximum, mode.
-- Removes the attempts and the lock, which a corrupt lock does not prevent.
-- Gives how many there were, whether they locked, whether the user may bear the
-- hint, and the claim or ''. The hold stays until the hint is gone.
local count, ends = lockout(now_ms())
local removed = redis.call('ZCARD', KEYS[1])
redis.call('UNLINK', KEYS[1], KEYS[2])
local locked = (ends or not count) and '1' or '0'
return {'ok', text(removed), locked, text(redis.call('EXISTS', KEYS[3])), redis.call('GET', KEYS[4]) or ''}
