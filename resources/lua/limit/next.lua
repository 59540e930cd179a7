-- Admits one of the keys that wait at a node, if it is the turn of one; the others are recorded as waiting.
-- ARGV: node id, gateway cap, then for each key its name, its cap (-1: none), the number of its waiting requests there, its team's
-- name (empty: none) and cap.
-- Returns [code, then for each key 1 if it is at its own cap or its team's, else 0]; code n: the n-th key is admitted, 0: none, -1: unknown node.
local id, cap = ARGV[1], tonumber(ARGV[2])
if not redis.call('ZSCORE', NODES, id) then return { -1 } end
local answer, due, dueTurn = { 0 }, nil, nil
for at = 3, #ARGV, 5 do
  local i, name = (at + 2) / 5, ARGV[at]
  if isKeyFull(name, tonumber(ARGV[at + 1]), ARGV[at + 3], tonumber(ARGV[at + 4])) then
    answer[i + 1] = 1
    redis.call('ZREM', WAITING, waitingAt(id, name))
  else
    answer[i + 1] = 0
    if cap >= 0 then redis.call('ZADD', WAITING, nowMs, waitingAt(id, name)) end
    local turn = turnOf(name)
    if not due or turn < dueTurn then due, dueTurn = at, turn end
  end
end
if due and isTurn(ARGV[due], freeOf(cap)) then
  letIn(id, ARGV[due], tonumber(ARGV[due + 1]), ARGV[due + 3], tonumber(ARGV[due + 4]), cap)
  if tonumber(ARGV[due + 2]) <= 1 then redis.call('ZREM', WAITING, waitingAt(id, ARGV[due])) end
  answer[1] = (due + 2) / 5
end
return answer
