-- KEYS: garbage. ARGV: page.
-- Gives and forgets the next members of an index that was set aside.
return take(KEYS[1], tonumber(ARGV[1]), {'ok'})
