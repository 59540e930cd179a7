-- A key has no waiter at a node any more. ARGV node id, name.
redis.call('ZREM', WAITING, waitingAt(ARGV[1], ARGV[2]))
return 1
