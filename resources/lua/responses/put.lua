-- Stores a new answer. ARGV: id, owner, model, phase, writer, stream, ms to keep it, its bytes, those without its input, the most of all,
-- the most of an owner, its input, its response, then id, start and length of each item.
local id, owner, model, phase, writer, stream = unpack(ARGV, 1, 6)
local ttl, bytes, change, maxBytes, maxBytesPerKey = unpack(ARGV, 7, 11)
bytes = tonumber(bytes)
-- The first write needs memory: a full Redis refuses it, and with it all of the script.
local order = call('INCR', P .. 'order')
sweep()
forget(id)
makeRoom(owner, bytes, nil, tonumber(maxBytes), tonumber(maxBytesPerKey))
call('HSET', at(id), 'owner', owner, 'model', model, 'phase', phase, 'writer', writer, 'stream', stream, 'input', ARGV[12],
  'response', ARGV[13])
call('ZADD', of(owner), order, id)
count(owner, bytes)
store(id, owner, bytes, tonumber(change), tonumber(ttl), 14)
return 1
