-- A node's sign of life. ARGV: node, lease in ms.
call('SET', P .. 'node:' .. ARGV[1], '1', 'PX', ARGV[2])
return 1
