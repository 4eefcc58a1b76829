-- KEYS: marker. ARGV: version.
-- Writes the schema version unless there is one, and gives the one in force.
redis.call('SET', KEYS[1], ARGV[1], 'NX')
return {redis.call('GET', KEYS[1])}
