-- KEYS: user, links. ARGV: who, field, nonce of the claim.
-- link_commit that also notes the time of a use, which never goes back.
local l, u = live_link(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3])
if not l then return {u} end
l.used = text(math.max(now_ms(), tonumber(l.used) or 0))
save_link(KEYS[2], ARGV[2], l)
return {'ok', l.raw, u.raw}
