-- Stores the next state of an answer that is not over. ARGV: id, owner, phase, writer, stream, ms to keep it, its bytes without its input,
-- the most of all, the most of an owner, its response, then id, start and length of each item.
-- Returns 1; 0: it is over, or its owner has none; -bytes: with so many it would be too large.
local id, owner, phase, writer, stream = unpack(ARGV, 1, 5)
local ttl, change, maxBytes, maxBytesPerKey = unpack(ARGV, 6, 9)
change, maxBytes, maxBytesPerKey = tonumber(change), tonumber(maxBytes), tonumber(maxBytesPerKey)
if not isThere(id, owner) or call('HGET', at(id), 'phase') == 'over' then return 0 end
local size = sizes(id)
if not size then return 0 end
local bytes = size[1] - size[2] + change
if bytes > math.min(maxBytes, maxBytesPerKey) then return -bytes end
-- The first write needs memory: a full Redis refuses it, and with it all of the script.
call('HSET', at(id), 'writer', writer)
makeRoom(owner, bytes - size[1], id, maxBytes, maxBytesPerKey)
dropItems(id, size)
call('HSET', at(id), 'phase', phase, 'stream', stream, 'response', ARGV[10])
count(owner, bytes - size[1])
store(id, owner, bytes, change, tonumber(ttl), 11)
return 1
