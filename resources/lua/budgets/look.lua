-- What all nodes use of windows, for people to see. Changes nothing.
-- Returns for each window: total, or -1 where it is not known here; reserved and unused of all nodes that are alive. Of a budget that tells
-- end users apart: the same of all of them together, without total.
local living = livingNodes()
local answer = {}
for i = 1, (#KEYS - GROUND) / 2 do
  local reserved, unused = openSums(KEYS[GROUND + i * 2], living)
  answer[#answer + 1] = tonumber(redis.call('HGET', KEYS[GROUND - 1 + i * 2], 'total') or -1)
  answer[#answer + 1] = reserved
  answer[#answer + 1] = unused
end
return answer
