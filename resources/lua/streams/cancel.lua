-- Cancels an open log through its writer, or forgets one that has ended. ARGV: id, the end of one whose writer does not hear.
local id, ending = ARGV[1], ARGV[2]
call('DEL', P .. 'none')
local at = call('HMGET', head(id), 'node', 'end', 'keep')
if not at[1] then return 0 end
if at[2] ~= '' then
  call('DEL', head(id), log(id), readers(id))
  -- Its writer still has it in memory.
  tell(at[1], 'forget ' .. id)
elseif tell(at[1], 'cancel ' .. id) == 0 then
  close(id, ending, at[3])
end
return 1
