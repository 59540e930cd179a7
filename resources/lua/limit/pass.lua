-- A key has no more waiting requests at a node. ARGV: node id, name.
redis.call('ZREM', WAITING, waitingAt(ARGV[1], ARGV[2]))
return 1
