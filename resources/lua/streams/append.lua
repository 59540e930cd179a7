-- Appends a batch to each of several logs; a batch that is there already changes nothing, so it may be sent again.
-- ARGV: node, ms that an open log is held without a sign of its writer, then for each log: id, facts ('' if they are there), number of
-- the oldest frame that the writer holds, number of the batch's first frame, lengths of its frames, their bytes, end ('' if it stays
-- open), ms to keep it after its end.
-- Returns for each the number of the next frame to store; -1: there is no such log, -2: it is closed, or has another writer; a text:
-- Redis refused to store it, which must not hold up the others.
local node, ttl = ARGV[1], ARGV[2]

local function append(id, facts, first, from, lengths, bytes, ending, keep)
  local at = call('HMGET', head(id), 'node', 'next', 'end', 'first')
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
    expire(id, ttl)
    if lengths ~= '' then ring(id) end
  end
  return next
end

local answer = {}
for i = 3, #ARGV, 8 do
  local isDone, reply = pcall(append, unpack(ARGV, i, i + 7))
  if not isDone then reply = type(reply) == 'table' and reply.err or tostring(reply) end
  answer[#answer + 1] = reply
end
return answer
