-- A node's sign of life. ARGV: lease in ms, node id. Returns 0 if the node's lease has expired: it must register again.
if not redis.call('ZSCORE', NODES, ARGV[2]) then return 0 end
redis.call('ZADD', NODES, string.format('%.0f', math.floor(now / 1000)), ARGV[2])
reap(tonumber(ARGV[1]))
return 1
