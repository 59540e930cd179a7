-- An answer. ARGV: id, owner, 1 if a running one of a dead writer is lost.
-- Returns model, phase, stream, ms until it expires, input, response; nil if its owner has none.
local id, owner, mayLose = ARGV[1], ARGV[2], ARGV[3]
if not isThere(id, owner) then return false end
local found = call('HMGET', at(id), 'model', 'phase', 'stream', 'expires', 'input', 'response', 'writer')
local phase = found[2]
if phase == 'running' and mayLose == '1' and call('EXISTS', P .. 'node:' .. found[7]) == 0 then phase = 'lost' end
return { found[1], phase, found[3], tonumber(found[4]) - now, found[5], found[6] }
