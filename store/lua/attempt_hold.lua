-- ARGV: 'hold' or 'release', life of what is held, retention.
-- Notes that the user who has the email may bear the hint, so that its attempts
-- live longer, or that this is over. Gives the claim.
local claim = redis.call('GET', KEYS[4])
if ARGV[1] == 'release' then
  redis.call('UNLINK', KEYS[3])
  local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
  if last[2] then redis.call('PEXPIREAT', KEYS[1], text(tonumber(last[2]) + tonumber(ARGV[3]))) end
elseif claim then
  redis.call('SET', KEYS[3], '1', 'PX', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
if not claim then return {'absent'} end
return {'ok', claim}
