-- KEYS: links. ARGV: field, nonce.
-- Takes back what is pending under the nonce; nothing else.
local l = read_link(redis.call('HGET', KEYS[1], ARGV[1]) or '')
if l and l.state == 'p' and l.nonce == ARGV[2] then redis.call('HDEL', KEYS[1], ARGV[1]) end
return {'ok'}
