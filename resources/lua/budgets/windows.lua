-- Returns the keys of the windows of which a node claims something. WINDOWS are those of that node.
return redis.call('ZRANGE', WINDOWS, 0, -1)
