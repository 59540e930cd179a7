-- A node has ended, and all that it has spent is told. WINDOWS are those of that node. ARGV after lease and id: its id.
redis.call('ZREM', NODES, ARGV[3])
redis.call('HDEL', CALLS, ARGV[3])
redis.call('SREM', AWAITED, ARGV[3])
redis.call('DEL', WINDOWS)
return 1
