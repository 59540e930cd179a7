-- A sign of life. ARGV lease in ms, node id. Answers 0 when the node's lease was over: it must register.
if not redis.call('ZSCORE', NODES, ARGV[2]) then return 0 end
redis.call('ZADD', NODES, string.format('%.0f', math.floor(now / 1000)), ARGV[2])
reap(tonumber(ARGV[1]))
return 1
