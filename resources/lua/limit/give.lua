-- Corrects what was taken by what was used. ARGV: node id, number of buckets, for each bucket
-- cost, limit, count (above 0: used more, into debt if need be; below: not used); then owner, count of slots (below 0: released).
-- Returns [0, ahead of each bucket].
local id, buckets = ARGV[1], tonumber(ARGV[2])
local answer = { 0 }
for i = 1, buckets do
  local cost, limit, count = tonumber(ARGV[i * 3]), tonumber(ARGV[i * 3 + 1]), tonumber(ARGV[i * 3 + 2])
  local ahead = math.max(0, math.min(load(bucket(i)) + cost * count, cost * limit + MAX_DEBT))
  store(bucket(i), ahead)
  answer[i + 1] = ahead
end
if not redis.call('ZSCORE', NODES, id) then return answer end
for at = 3 + buckets * 3, #ARGV, 2 do
  local own = tonumber(redis.call('HGET', NODE .. id, ARGV[at]) or 0)
  local count = math.max(tonumber(ARGV[at + 1]), 0 - own)
  add(NODE .. id, ARGV[at], count)
  addSlots(ARGV[at], count)
end
return answer
