-- KEYS: user, links. ARGV: who, field, nonce of the claim.
-- Notes the time of a use, which never goes back. What is pending is left to
-- link_commit, because it has to be durable and this has not.
local l, u = claimed_link(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3])
if not l then return {u} end
if l.state == 'p' then return {'pending'} end
l.used = text(math.max(now_ms(), tonumber(l.used) or 0))
save_link(KEYS[2], ARGV[2], l)
return {'ok', l.raw, u.raw}
