-- What a script runs that a failover must not undo, when there are replicas to
-- wait for.

-- write_again makes a script a write that has perhaps changed nothing, because
-- somebody else has done its work: WAIT only waits for what its own connection
-- has written. The key, which had the given end before, stays as it is. One that
-- has come or gone was written to. It can no longer be asked for where its slot
-- moves away, and so has gone, when the reply is an error.
local function write_again(key, before)
  local now = redis.pcall('PEXPIRETIME', key)
  if type(now) ~= 'number' or (now == -2) ~= (before == -2) then return end
  if now == -2 then
    redis.call('SET', key, '')
    redis.call('UNLINK', key)
  elseif now == -1 then
    redis.call('PEXPIRE', key, 60000)
    redis.call('PERSIST', key)
  else
    redis.call('PEXPIREAT', key, text(now))
  end
end
