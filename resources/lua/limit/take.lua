-- An admission: all buckets or none, then all slots or none.
-- ARGV: node id, number of buckets, for each bucket cost, limit, count; for each slot owner, cap.
-- Returns [code, ahead of each bucket]; code 0: all taken, n: the n-th bucket or slot rejects, -1: unknown node.
local id, buckets = ARGV[1], tonumber(ARGV[2])
local firstSlot = 3 + buckets * 3
if #ARGV >= firstSlot and not redis.call('ZSCORE', NODES, id) then return { -1 } end
local answer = takeBuckets(buckets)
if answer[1] > 0 then return answer end
local place = buckets
for at = firstSlot, #ARGV, 2 do
  place = place + 1
  if isFull(ARGV[at], tonumber(ARGV[at + 1])) then
    answer[1] = place
    return answer
  end
end
for at = firstSlot, #ARGV, 2 do hold(id, ARGV[at]) end
return answer
