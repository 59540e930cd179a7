-- The common part of the scripts of kept streams: each script is this file and one other, one atomic step on the clock of Redis (TIME).
--
--   <P><id>            facts; node: its one writer; first, next: numbers of the oldest frame held and of the next one; end: '' while it
--                      is open, else how it ended; keep: ms from the end until it is deleted
--   <P><id>:log        a Redis Stream; an entry is one batch: a: number of its first frame, l: the frames' lengths, f: their bytes. Its
--                      id is the number behind its last frame, so that what follows a frame is found without an index
--   <P><id>:readers    node -> until when it reads the log, in ms: it hears of each append
--   <P>node:<node>     exists while the node is alive; a log that is open without it has lost its writer
--   <P>to:<node>       channel: `more <id>` to readers; `attach <node> <id>`, `detach <node> <id>`, `cancel <id>` to the writer
--
-- ARGV begins with P, which is removed here: the ARGV that each script documents follow it.
local P = table.remove(ARGV, 1)
local call = redis.call
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function head(id) return P .. id end
local function log(id) return P .. id .. ':log' end
local function readers(id) return P .. id .. ':readers' end

local function tell(node, message)
  return call('PUBLISH', P .. 'to:' .. node, message)
end

local function expire(id, ms)
  call('PEXPIRE', head(id), ms)
  call('PEXPIRE', log(id), ms)
end

-- Tells the nodes that read the log that there is more.
local function ring(id)
  local nodes = call('HGETALL', readers(id))
  for i = 1, #nodes, 2 do
    if tonumber(nodes[i + 1]) > now then
      tell(nodes[i], 'more ' .. id)
    else
      call('HDEL', readers(id), nodes[i])
    end
  end
end

local function close(id, ending, keep)
  call('HSET', head(id), 'end', ending)
  expire(id, keep)
  ring(id)
end

-- Closes an open log whose writer is dead. True if it did.
local function reap(id, node, keep, ending)
  if call('EXISTS', P .. 'node:' .. node) == 1 then return false end
  -- Under maxmemory Redis lets a script continue that has written: this write needs no memory.
  call('DEL', P .. 'none')
  close(id, ending, keep)
  return true
end
