-- KEYS: user, links. ARGV: who, field, nonce, window in ms, most, group, json.
-- Step 1 of linking something to a user: a pending entry, which counts for
-- nothing until link_commit completes it. One that is under way already is given,
-- for the caller to join. What was given up is cleared away.
local u, why = active_user(KEYS[1], ARGV[1])
if not u then return {why} end
local now = now_ms()
local all, over, own = redis.call('HGETALL', KEYS[2]), {}, nil
for i = 1, #all, 2 do
  local l = read_link(all[i + 1])
  if not l then return {'corrupt'} end
  if l.state == 'p' and now > tonumber(l.deadline) then
    over[#over + 1] = all[i]
  elseif all[i] == ARGV[2] then
    own = l
  end
end
if own then return {own.state == 'a' and 'taken' or 'pending', own.nonce, own.raw} end
if #all / 2 - #over >= tonumber(ARGV[5]) then return {'full'} end
if #over > 0 then redis.call('HDEL', KEYS[2], unpack(over)) end
save_link(KEYS[2], ARGV[2], {state = 'p', nonce = ARGV[3], deadline = text(now + tonumber(ARGV[4])),
  created = text(now), used = '-', group = ARGV[6], json = ARGV[7]})
return {'ok'}
