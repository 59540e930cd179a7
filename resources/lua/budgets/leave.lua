-- A node that ends has told all it has spent, or is one that has ended before. ARGV after lease and id: ids.
for i = 3, #ARGV do
  redis.call('ZREM', NODES, ARGV[i])
  redis.call('HDEL', CALLS, ARGV[i])
  redis.call('SREM', AWAITED, ARGV[i])
end
return 1
