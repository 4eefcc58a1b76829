-- KEYS: user, links. ARGV: who, field, nonce of the claim.
-- Step 3 of linking, run by whoever needs to know. It may run any number of
-- times. 'ok' says that the claim is live, 'gone' that it is dead for ever.
local l, u = live_link(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3])
if not l then return {u} end
return {'ok', l.raw, u.raw}
