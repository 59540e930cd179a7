-- An admission where keys take turns: like take.lua, with the slots of the key and of the gateway, the latter only if no key that waits
-- elsewhere comes first. A request that must wait for a slot has been counted; if it is the gateway's, its key is recorded
-- as waiting.
-- ARGV: as for take.lua up to the buckets, then gateway cap, key's name and cap, its team's name (empty: none) and cap (-1: none).
-- Returns [code, ahead of each bucket]; code 0: all taken, i: the i-th of n buckets rejects, n + 1: the key or its team, n + 2: the
-- gateway, -1: unknown node.
local id, buckets = ARGV[1], tonumber(ARGV[2])
if not redis.call('ZSCORE', NODES, id) then return { -1 } end
local answer = takeBuckets(buckets)
if answer[1] > 0 then return answer end
local cap, name, keyCap = tonumber(ARGV[#ARGV - 4]), ARGV[#ARGV - 3], tonumber(ARGV[#ARGV - 2])
local team, teamCap = ARGV[#ARGV - 1], tonumber(ARGV[#ARGV])
if isKeyFull(name, keyCap, team, teamCap) then
  answer[1] = buckets + 1
elseif not isTurn(name, freeOf(cap)) then
  redis.call('ZADD', WAITING, nowMs, waitingAt(id, name))
  answer[1] = buckets + 2
else
  letIn(id, name, keyCap, team, teamCap, cap)
end
return answer
