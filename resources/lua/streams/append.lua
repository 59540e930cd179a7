-- Appends a batch to each of several logs; a batch that is there already changes nothing, so it may be sent again.
-- ARGV: node, ms that an open log is held without a sign of its writer, then for each log: id, facts ('' if they are there), number of
-- the oldest frame that the writer holds, number of the batch's first frame, lengths of its frames, their bytes, end ('' if it stays
-- open), ms to keep it after its end, '' or the log whose frames this handle has: then none come with it, and it has all before the
-- second number.
-- Returns for each the number of the next frame to store; -1: there is no such log, -2: it is closed, or has another writer; a text:
-- Redis refused to store it, which must not hold up the others. For a handle the number of the next frame of the other log; -3: that
-- log is not there, -4: it will not have all frames of the handle.
local node, ttl = ARGV[1], ARGV[2]

local function append(id, facts, first, from, lengths, bytes, ending, keep)
  local at = call('HMGET', head(id), 'node', 'next', 'end', 'first', 'hold', 'of')
  if at[1] == node and at[6] and at[3] == '' then
    -- It was a handle, and gets frames of its own.
    if facts == '' then return -1 end
    call('SREM', handles(at[6]), id)
    call('DEL', head(id))
    at = {}
  end
  if not at[1] then
    if facts == '' then return -1 end
    call('HSET', head(id), 'facts', facts, 'node', node, 'first', from, 'next', from, 'end', '', 'keep', keep)
    at = { node, from, '', from }
  end
  if at[1] ~= node then return -2 end
  local next = tonumber(at[2])
  if at[3] ~= '' then return at[3] == ending and next or -2 end
  if tonumber(from) ~= next then return next end
  if lengths ~= '' then
    local _, count = string.gsub(lengths, '%d+', '')
    next = next + count
    call('XADD', log(id), next .. '-0', 'a', from, 'l', lengths, 'f', bytes)
    call('HSET', head(id), 'next', next)
  end
  if tonumber(first) > tonumber(at[4]) then
    call('XTRIM', log(id), 'MINID', (first + 1) .. '-0')
    call('HSET', head(id), 'first', first)
  end
  if ending ~= '' then
    close(id, ending, keep)
  else
    expire(id, ttl, at[5])
    if lengths ~= '' then ring(id) end
  end
  return next
end

local function follow(id, facts, reached, ending, keep, of)
  local at = call('HMGET', head(id), 'node', 'next', 'end', 'of')
  if at[1] and at[1] ~= node then return -2 end
  if at[1] and at[3] ~= '' then return at[3] == ending and tonumber(at[2]) or -2 end
  local other = call('HMGET', head(of), 'next', 'end')
  if not at[4] then
    if not other[1] then return -3 end
    if not at[1] and facts == '' then return -1 end
    if at[1] and tonumber(at[2]) > 0 then return -4 end
    if not at[1] then
      call('HSET', head(id), 'facts', facts, 'node', node, 'first', 0, 'next', 0, 'end', '', 'keep', keep)
    end
    call('HSET', head(id), 'of', of)
    call('SADD', handles(of), id)
  elseif not other[1] then
    return -4
  end
  local next = tonumber(other[1])
  if next < tonumber(reached) and other[2] ~= '' then return -4 end
  if ending ~= '' and next >= tonumber(reached) then
    close(id, ending, keep, of, reached)
    return tonumber(reached)
  end
  call('PEXPIRE', head(id), ttl)
  hold(of, ttl)
  return next
end

local answer = {}
-- Handles come after the logs that they need.
for _, isHandle in ipairs({ false, true }) do
  for i = 3, #ARGV, 9 do
    local id, facts, first, from, lengths, bytes, ending, keep, of = unpack(ARGV, i, i + 8)
    if (of ~= '') == isHandle then
      local isDone, reply
      if isHandle then
        isDone, reply = pcall(follow, id, facts, from, ending, keep, of)
      else
        isDone, reply = pcall(append, id, facts, first, from, lengths, bytes, ending, keep)
      end
      if not isDone then reply = type(reply) == 'table' and reply.err or tostring(reply) end
      answer[(i - 3) / 9 + 1] = reply
    end
  end
end
return answer
