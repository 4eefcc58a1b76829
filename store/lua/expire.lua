-- KEYS: sessions or secure tokens of a user. ARGV: limit, cursor ('0' at first).
-- Drops those that have expired, a page at a time. Gives the next cursor ('0'
-- at the end) and how many there were.
local now, old = now_ms(), {}
local scanned = redis.call('HSCAN', KEYS[1], ARGV[2], 'COUNT', ARGV[1])
for i = 1, #scanned[2], 2 do
  local ends = record_end(scanned[2][i + 1])
  if ends and ends < now then old[#old + 1] = scanned[2][i] end
end
local dropped = 0
if #old > 0 then dropped = redis.call('HDEL', KEYS[1], unpack(old)) end
return {'ok', scanned[1], text(dropped)}
