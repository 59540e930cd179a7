-- A node reads these logs, for the length of a lease. ARGV: node, lease in ms, then ids.
-- Without memory for more, Redis would refuse the script unless it has written something.
call('DEL', P .. 'none')
local node, lease = ARGV[1], tonumber(ARGV[2])
for i = 3, #ARGV do
  local id = ARGV[i]
  local at = call('HMGET', head(id), 'node', 'end', 'of')
  if at[2] == '' then
    local place, name = reader(node, id, at[3])
    call('HSET', place, name, string.format('%.0f', now + lease))
    call('PEXPIRE', place, lease)
    tell(at[1], 'attach ' .. node .. ' ' .. id)
  end
end
return 1
