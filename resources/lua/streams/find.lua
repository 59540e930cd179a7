-- What is known of a log. ARGV: id, 1 if a dead writer's log is to be closed, the end to close it with.
-- Returns facts, first, next, end; nil if there is no such log.
local id, mayClose, ending = ARGV[1], ARGV[2], ARGV[3]
local at = call('HMGET', head(id), 'facts', 'first', 'next', 'end', 'node', 'keep', 'of')
if not at[1] then return false end
if at[4] == '' and mayClose == '1' and reap(id, at[5], at[6], ending, at[7]) then
  at = call('HMGET', head(id), 'facts', 'first', 'next', 'end', 'node', 'keep', 'of')
end
local first, next = extent(id, at[2], at[3], at[4], at[7])
if not first then return false end
return { at[1], first, next, at[4] }
