-- KEYS: entry, floor. ARGV: version, grace in ms.
-- Removes a copy up to and including version and keeps older fills out for the
-- grace. A copy of this very version goes too: a source whose clock is coarse
-- may have written twice under it. The floor never sinks.
local version = tonumber(ARGV[1])
local there = tonumber(string.match(redis.call('GET', KEYS[1]) or '', '^(%-?%d+)\n') or '')
if not there or there <= version then redis.call('UNLINK', KEYS[1]) end
local floor = tonumber(redis.call('GET', KEYS[2]) or '')
if floor and floor > version then version = floor end
redis.call('SET', KEYS[2], text(version), 'PX', ARGV[2])
return {'ok'}
