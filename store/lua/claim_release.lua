-- KEYS: claim. ARGV: claim.
-- Removes the claim if it still is this one.
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('UNLINK', KEYS[1]) end
return {'ok'}
