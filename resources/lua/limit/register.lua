-- Registers a node with the slots it holds; those of its former ids and of nodes whose lease has expired are released.
-- ARGV: lease in ms, node id, number of former ids, former ids ..., then owner and count of each slot held.
local id, formers = ARGV[2], tonumber(ARGV[3])
for i = 1, formers do drop(ARGV[3 + i]) end
local nowMs = reap(tonumber(ARGV[1]))
if redis.call('ZCARD', NODES) == 0 then redis.call('DEL', SLOTS) end
redis.call('ZADD', NODES, nowMs, id)
for at = 4 + formers, #ARGV, 2 do
  redis.call('HINCRBY', SLOTS, ARGV[at], ARGV[at + 1])
  redis.call('HINCRBY', NODE .. id, ARGV[at], ARGV[at + 1])
end
return 1
