-- KEYS: user, tokens. ARGV: member, purpose.
-- Uses a token up. A wrong purpose uses up nothing.
local t, why = live_token(KEYS[1], KEYS[2], ARGV[1], ARGV[2])
if not t then return {why} end
return {'ok', use_token(KEYS[2], ARGV[1], t), t.user.raw}
