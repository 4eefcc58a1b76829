-- ARGV: period, maximum, mode, retention, how many are kept, life of what is
-- held, member, 'guard' or ''.
-- Records an attempt and decides in the same step whether the email is locked.
-- One that is recorded already is not recorded twice. With the guard nothing is
-- recorded while the email is locked. Gives the time of the attempt, now, count
-- and end, and the claim if the email is locked and has one: its user is to
-- bear the hint, and until then the hold says so.
local now = now_ms()
local count, ends = lockout(now)
if not count then return {'corrupt'} end
if ARGV[8] == 'guard' and ends and not redis.call('ZSCORE', KEYS[1], ARGV[7]) then
  return {'locked', text(now), text(now), text(count), text(ends)}
end
redis.call('ZADD', KEYS[1], 'NX', text(now), ARGV[7])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - tonumber(ARGV[5]))
count, ends = lockout(now)
if ARGV[3] == 'sticky' and ends and count >= tonumber(ARGV[2]) then
  redis.call('SET', KEYS[2], text(ends), 'PXAT', text(ends))
end
local claim = ends and redis.call('GET', KEYS[4]) or ''
if claim ~= '' then redis.call('SET', KEYS[3], '1', 'PX', ARGV[6]) end
if redis.call('EXISTS', KEYS[3]) == 1 then
  redis.call('PEXPIRE', KEYS[1], ARGV[6])
else
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. text(now - tonumber(ARGV[4])))
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
local at = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[7]) or now)
return {'ok', text(at), text(now), text(count), optional(ends), claim}
