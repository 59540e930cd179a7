-- The batches of several logs from a frame on. ARGV: 1 if a dead writer's log is to be closed, the end to close it with, the most batches
-- of each log, then for each: id, number of the next frame to read.
-- Returns for each: first, next, end, batches as Redis lists them; nil if there is no such log.
local mayClose, ending, most = ARGV[1], ARGV[2], ARGV[3]
local answer = {}
for i = 4, #ARGV, 2 do
  local id, from = ARGV[i], ARGV[i + 1]
  local at = call('HMGET', head(id), 'first', 'next', 'end', 'node', 'keep', 'of')
  if not at[1] then
    answer[#answer + 1] = false
  else
    if at[3] == '' and mayClose == '1' and reap(id, at[4], at[5], ending, at[6]) then
      at = call('HMGET', head(id), 'first', 'next', 'end', 'node', 'keep', 'of')
    end
    local first, next, frames = extent(id, at[1], at[2], at[3], at[6])
    if first then
      local batches = call('XRANGE', log(frames), (from + 1) .. '-0', '+', 'COUNT', most)
      answer[#answer + 1] = { first, next, at[3], batches }
    else
      answer[#answer + 1] = false
    end
  end
end
return answer
