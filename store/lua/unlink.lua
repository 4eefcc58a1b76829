-- KEYS: any.
-- Removes them; gives how many there were.
return {'ok', text(redis.call('UNLINK', unpack(KEYS)))}
