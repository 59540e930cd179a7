-- The common part of the scripts of kept streams: each script is this file and one other, one atomic step on the clock of Redis (TIME).
--
--   <P><id>            facts; node: its one writer; first, next: numbers of the oldest frame held and of the next one; end: '' while it
--                      is open, else how it ended; keep: ms from the end until it is deleted.
--                      A handle is a log without frames of its own. of: the log that has them, with the same numbers, for all of its
--                      handles; next: counts once the handle has ended. hold: until when handles need the other log, in ms
--   <P><id>:log        a Redis Stream; an entry is one batch: a: number of its first frame, l: the frames' lengths, f: their bytes. Its
--                      id is the number behind its last frame, so that what follows a frame is found without an index
--   <P><id>:readers    node -> until when it reads the log, in ms: it hears of each append. Who reads a handle is noted with the log
--                      that has the frames, as `node id`
--   <P><id>:handles    ids of the handles that have its frames
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

local function handles(id) return P .. id .. ':handles' end

local function tell(node, message)
  return call('PUBLISH', P .. 'to:' .. node, message)
end

-- Not before the time until which handles need it.
local function expire(id, ms, due)
  local least = math.max(tonumber(ms), (tonumber(due) or 0) - now)
  call('PEXPIRE', head(id), least)
  call('PEXPIRE', log(id), least)
end

-- A handle needs the log that has its frames for so long.
local function hold(of, ms)
  local at = call('HMGET', head(of), 'node', 'hold')
  local due = now + ms
  if not at[1] or (tonumber(at[2]) or 0) >= due then return end
  call('HSET', head(of), 'hold', string.format('%.0f', due))
  call('PEXPIRE', handles(of), ms)
  if call('PTTL', head(of)) < tonumber(ms) then expire(of, ms) end
end

-- Where a node that reads a log is noted, and under which name.
local function reader(node, id, of)
  if of then return readers(of), node .. ' ' .. id end
  return readers(id), node
end

-- Tells the nodes that read the log, or one of its handles, that there is more. `only`: those that read this handle.
local function ring(id, only)
  local nodes = call('HGETALL', readers(id))
  for i = 1, #nodes, 2 do
    if tonumber(nodes[i + 1]) > now then
      local node, handle = string.match(nodes[i], '^(%S+) (%S+)$')
      if not only or only == handle then tell(node or nodes[i], 'more ' .. (handle or id)) end
    else
      call('HDEL', readers(id), nodes[i])
    end
  end
end

-- Number of the oldest frame of a log, that of the next one, and the log that has its frames; nil if they are gone.
local function extent(id, first, next, ending, of)
  if not of then return first, next, id end
  local at = call('HMGET', head(of), 'first', 'next')
  if not at[1] then return nil end
  return at[1], ending == '' and at[2] or next, of
end

-- `next`: of a handle, if that is not all that there is.
local function close(id, ending, keep, of, next)
  call('HSET', head(id), 'end', ending)
  if of then
    call('HSET', head(id), 'next', next or call('HGET', head(of), 'next') or 0)
    call('PEXPIRE', head(id), keep)
    hold(of, keep)
    ring(of, id)
  else
    expire(id, keep, call('HGET', head(id), 'hold'))
    ring(id)
  end
end

-- Closes an open log whose writer is dead. True if it did.
local function reap(id, node, keep, ending, of)
  if call('EXISTS', P .. 'node:' .. node) == 1 then return false end
  -- Under maxmemory Redis lets a script continue that has written: this write needs no memory.
  call('DEL', P .. 'none')
  close(id, ending, keep, of)
  return true
end
