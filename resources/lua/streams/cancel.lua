-- Cancels an open log through its writer, or forgets one that has ended. ARGV: id, the end of one whose writer does not hear.
local id, ending = ARGV[1], ARGV[2]
call('DEL', P .. 'none')
local at = call('HMGET', head(id), 'node', 'end', 'keep', 'of')
if not at[1] then return 0 end
if at[2] ~= '' then
  call('DEL', head(id), log(id), readers(id))
  local of = at[4]
  if of then
    call('SREM', handles(of), id)
    -- The last one takes the frames with it.
    if call('EXISTS', handles(of)) == 0 and call('HGET', head(of), 'end') ~= '' then
      call('DEL', head(of), log(of), readers(of))
    end
  end
  -- Its writer still has it in memory.
  tell(at[1], 'forget ' .. id)
elseif tell(at[1], 'cancel ' .. id) == 0 then
  close(id, ending, at[3], at[4])
end
return 1
