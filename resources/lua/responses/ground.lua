-- The common part of the scripts of stored answers: each script is this file and one other, one atomic step on the clock of Redis (TIME).
--
--   <P>at:<id>        an answer: owner, model, phase, writer, stream, expires (ms), input, response
--   <P>of:<owner>     ids of an owner's answers, in the order in which they were stored
--   <P>items:<owner>  id of an item -> packed: where it is in the text of which answer
--   <P>sizes          id -> packed: bytes, bytes without the input, owner, ids of its items. What is needed to forget an answer whose own
--                     key has gone by its time
--   <P>owners         owner -> bytes
--   <P>total          bytes of all
--   <P>ends           id -> expires
--   <P>node:<writer>  exists while the node is alive that runs what it has stored as running
--
-- All have a time to live. ARGV begins with P and what tests add to the clock, which are removed here.
local P = table.remove(ARGV, 1)
local shift = table.remove(ARGV, 1)
local call = redis.call
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(shift)
-- The lists outlive the answers in them.
local SLACK = 60000

local function at(id) return P .. 'at:' .. id end
local function of(owner) return P .. 'of:' .. owner end
local function items(owner) return P .. 'items:' .. owner end

local function sizes(id)
  local packed = call('HGET', P .. 'sizes', id)
  if packed then return cmsgpack.unpack(packed) end
end

local function bytesOf(owner)
  return tonumber(call('ZSCORE', P .. 'owners', owner) or 0)
end

local function count(owner, bytes)
  call('INCRBY', P .. 'total', string.format('%.0f', bytes))
  if tonumber(call('ZINCRBY', P .. 'owners', bytes, owner)) <= 0 then call('ZREM', P .. 'owners', owner) end
end

-- Those of its items that no later answer has.
local function dropItems(id, size)
  for _, item in ipairs(size[4]) do
    local place = call('HGET', items(size[3]), item)
    if place and cmsgpack.unpack(place)[1] == id then call('HDEL', items(size[3]), item) end
  end
end

local function forget(id)
  local size = sizes(id)
  call('DEL', at(id))
  call('ZREM', P .. 'ends', id)
  if not size then return end
  call('ZREM', of(size[3]), id)
  call('HDEL', P .. 'sizes', id)
  dropItems(id, size)
  count(size[3], -size[1])
end

-- True while its owner finds it.
local function isThere(id, owner)
  local found = call('HMGET', at(id), 'owner', 'expires')
  return found[1] == owner and tonumber(found[2]) > now
end

-- Forgets some of those that nobody finds any more: more than one write adds.
local function sweep()
  for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'ends', '-inf', now, 'LIMIT', 0, 20)) do forget(id) end
end

local function oldest(owner, self)
  local ids = call('ZRANGE', of(owner), 0, 1)
  if ids[1] == self then return ids[2] end
  return ids[1]
end

-- The oldest one of the owner that has the most, with what `owner` is about to have.
local function next(owner, bytes, self)
  local top = call('ZREVRANGE', P .. 'owners', 0, 1, 'WITHSCORES')
  local other, most = top[1], tonumber(top[2])
  if other == owner then other, most = top[3], tonumber(top[4]) end
  local own = oldest(owner, self)
  if not other or (own and bytesOf(owner) + bytes >= most) then return own end
  return oldest(other)
end

-- Makes room for so many bytes more of an owner; the answer itself makes none.
local function makeRoom(owner, bytes, self, maxBytes, maxBytesPerKey)
  while bytesOf(owner) + bytes > maxBytesPerKey do
    local id = oldest(owner, self)
    if not id then break end
    forget(id)
  end
  while tonumber(call('GET', P .. 'total') or 0) + bytes > maxBytes do
    local id = next(owner, bytes, self)
    if not id then break end
    forget(id)
  end
end

local function keep(key, ms)
  if call('PTTL', key) < ms then call('PEXPIRE', key, ms) end
end

-- `places`: id, start and length of each item, in turn, from ARGV[from] on.
local function store(id, owner, bytes, change, ttl, from)
  local ids = {}
  for i = from, #ARGV, 3 do
    ids[#ids + 1] = ARGV[i]
    call('HSET', items(owner), ARGV[i], cmsgpack.pack({ id, tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]) }))
  end
  call('HSET', P .. 'sizes', id, cmsgpack.pack({ bytes, change, owner, ids }))
  call('ZADD', P .. 'ends', now + ttl, id)
  call('HSET', at(id), 'expires', string.format('%.0f', now + ttl))
  call('PEXPIRE', at(id), ttl)
  for _, key in ipairs({ of(owner), items(owner), P .. 'sizes', P .. 'owners', P .. 'total', P .. 'ends', P .. 'order' }) do
    keep(key, ttl + SLACK)
  end
end
