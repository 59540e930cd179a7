-- A node has no more readers of these logs. ARGV: node, then ids.
local node = ARGV[1]
for i = 2, #ARGV do
  local id = ARGV[i]
  local at = call('HMGET', head(id), 'node', 'of')
  call('HDEL', reader(node, id, at[2]))
  if at[1] then tell(at[1], 'detach ' .. node .. ' ' .. id) end
end
return 1
