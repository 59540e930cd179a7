-- A node has no more readers of these logs. ARGV: node, then ids.
local node = ARGV[1]
for i = 2, #ARGV do
  local id = ARGV[i]
  call('HDEL', readers(id), node)
  local writer = call('HGET', head(id), 'node')
  if writer then tell(writer, 'detach ' .. node .. ' ' .. id) end
end
return 1
