-- KEYS: entry, floor. ARGV: version, grace in ms.
-- Removes a copy that is older than version and keeps older fills out for the
-- grace. The floor never sinks.
local version = tonumber(ARGV[1])
local there = tonumber(string.match(redis.call('GET', KEYS[1]) or '', '^(%-?%d+)\n') or '')
if not there or there < version then redis.call('UNLINK', KEYS[1]) end
local floor = tonumber(redis.call('GET', KEYS[2]) or '')
if floor and floor > version then version = floor end
redis.call('SET', KEYS[2], text(version), 'PX', ARGV[2])
return {'ok'}
