-- KEYS: index, session. ARGV: member.
redis.call('UNLINK', KEYS[2])
redis.call('ZREM', KEYS[1], ARGV[1])
index_settle(KEYS[1])
return {'ok'}
