-- What is known of a log. ARGV: id, 1 if a dead writer's log is to be closed, the end to close it with.
-- Returns facts, first, next, end; nil if there is no such log.
local id, mayClose, ending = ARGV[1], ARGV[2], ARGV[3]
local at = call('HMGET', head(id), 'facts', 'first', 'next', 'end', 'node', 'keep')
if not at[1] then return false end
if at[4] == '' and mayClose == '1' and reap(id, at[5], at[6], ending) then at[4] = ending end
return { at[1], at[2], at[3], at[4] }
