-- ARGV: period, maximum, mode.
-- Gives now, count and end.
local now = now_ms()
local count, ends = lockout(now)
if not count then return {'corrupt'} end
return {'ok', text(now), text(count), optional(ends)}
