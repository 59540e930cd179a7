-- The job store's calls, as one script of four files: this one, desk.lua, queue.lua, call.lua. Redis runs it as one step, so a job
-- and its idempotency key, or its end and its webhook, are kept together or not at all. Time is the Redis server's: one clock for
-- all nodes. All keys share one hash tag.
--
--   job:ID      hash, all of a job and its delivery        wait:OWNER  pending by due time       turns    owners by last turn
--   list:OWNER  ids in order of acceptance                 leases      processing by lease end   ages     pending by acceptance
--   rep:OWNER:KEY  hash, an idempotency key                dwait:ORIGIN, dorigins  deliveries by due time        ended, tally, seq
--   adopted     hash, names of keys whose jobs went to an owner (earlier versions kept them under the name)
--   stored      hash, bytes by OWNER:kind      kept  bytes:OWNER:KEY of kept answers by the end of their day
--
-- Each kind of job has its own wait, turns, leases and tallies: `response:turns`. Those of chats have no such name before them.
--
-- ARGV: prefix, offset of the clock (tests), fields of a head, name of the call, its arguments. Absent texts are empty.
local P = ARGV[1]
local call = redis.call
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2]
local DAY = 86400000
local BATCH = 1000
local CLOCK_BACK = 1000
-- Fields of a head, in the order in which it is returned.
local HEAD = {}
for field in string.gmatch(ARGV[3], '%S+') do HEAD[#HEAD + 1] = field end

local function job(id) return P .. 'job:' .. id end
local function get(id, ...) return call('HMGET', job(id), ...) end
local function set(id, ...) call('HSET', job(id), ...) end
local function tell(kind, id) call('PUBLISH', P .. 'events', kind .. ' ' .. (id or '')) end
local KINDS = { 'chat', 'response' }
local function of(kind, name) return kind == 'chat' and name or kind .. ':' .. name end
-- Jobs of earlier versions say nothing of their kind.
local function kindOf(id) return get(id, 'kind')[1] or 'chat' end
local function count(name, by) call('HINCRBY', P .. 'tally', name, by) end
local function tally(name) return tonumber(call('HGET', P .. 'tally', name) or 0) end
-- Counts the stored bytes of a key: of its jobs, or of answers kept for repeated requests.
local function store(owner, kind, bytes)
  if bytes == 0 then return end
  call('HINCRBY', P .. 'stored', owner .. ':' .. kind, bytes)
  count('stored-' .. kind, bytes)
end
local function fullScope(owner, bytes, perKey, all)
  local own = call('HMGET', P .. 'stored', owner .. ':jobs', owner .. ':answers')
  if tonumber(own[1] or 0) + tonumber(own[2] or 0) + bytes > tonumber(perKey) then return 'key' end
  if tally('stored-jobs') + tally('stored-answers') + bytes > tonumber(all) then return 'all' end
end
-- Redis expires kept answers by itself; their bytes are counted until this runs.
local function forgetKept()
  for _, name in ipairs(call('ZRANGEBYSCORE', P .. 'kept', '-inf', now, 'LIMIT', 0, BATCH)) do
    local bytes, owner = string.match(name, '^(%d+):([^:]*):')
    call('ZREM', P .. 'kept', name)
    store(owner, 'answers', -bytes)
  end
end
local function member(seq, id) return string.format('%015.0f', seq) .. ':' .. id end
local function idOf(name) return string.sub(name, 17) end
local function head(id) return get(id, unpack(HEAD)) end
local function whole(id)
  local texts = get(id, 'request', 'answer')
  return { head(id), texts[1], texts[2] }
end

local function enqueue(id, due)
  local at, kind = get(id, 'owner', 'seq', 'accepted'), kindOf(id)
  set(id, 'state', 'pending', 'changed', now, 'set', now, 'due', due)
  count(of(kind, 'pending'), 1)
  call('ZADD', P .. of(kind, 'wait:') .. at[1], due, member(at[2], id))
  call('ZADD', P .. of(kind, 'turns'), 'NX', 0, at[1])
  call('ZADD', P .. 'ages', at[3], id)
end

local function dequeue(id)
  local at, kind = get(id, 'owner', 'seq'), kindOf(id)
  count(of(kind, 'pending'), -1)
  call('ZREM', P .. of(kind, 'wait:') .. at[1], member(at[2], id))
  call('ZREM', P .. 'ages', id)
end

-- The keys take turns: at most as many jobs of each other key go first as of the job's own key.
local function position(kind, owner, own)
  local sum = own
  for _, other in ipairs(call('ZRANGE', P .. of(kind, 'turns'), 0, -1)) do
    if other ~= owner then sum = sum + math.min(own, call('ZCARD', P .. of(kind, 'wait:') .. other)) end
  end
  return sum
end

local function refresh(origin)
  local first = call('ZRANGE', P .. 'dwait:' .. origin, 0, 0, 'WITHSCORES')
  if first[2] then call('ZADD', P .. 'dorigins', first[2], origin) else call('ZREM', P .. 'dorigins', origin) end
end

local function holds(id, fence)
  local at = get(id, 'state', 'fence')
  return at[1] == 'processing' and at[2] == fence
end

local function unlease(id)
  local kind = kindOf(id)
  call('ZREM', P .. of(kind, 'leases'), id)
  count(of(kind, 'processing'), -1)
end

local function finish(id, state, field, text)
  unlease(id)
  set(id, 'state', state, 'changed', now, field, text)
  count(of(kindOf(id), state), 1)
  local at = get(id, 'url', 'origin')
  if at[1] == '' then return call('ZADD', P .. 'ended', now, id) end
  set(id, 'dstate', 'due', 'dattempts', 0, 'dfence', 0, 'dheld', 0, 'derror', '', 'dended', now, 'dset', now, 'ddue', now)
  count('due', 1)
  call('ZADD', P .. 'dwait:' .. at[2], now, id)
  refresh(at[2])
  tell('delivery')
end

-- The clock was set back: a period that was set "later" than now keeps its length and begins now.
local function again(id, setName, dueName)
  local at = get(id, setName, dueName)
  local due = now + math.max(0, at[2] - at[1])
  set(id, setName, now, dueName, due)
  return due
end
local function rewindQueue(kind)
  for _, owner in ipairs(call('ZRANGE', P .. of(kind, 'turns'), 0, -1)) do
    local wait = P .. of(kind, 'wait:') .. owner
    for _, name in ipairs(call('ZRANGE', wait, 0, -1)) do call('ZADD', wait, again(idOf(name), 'set', 'due'), name) end
  end
  for _, id in ipairs(call('ZRANGE', P .. of(kind, 'leases'), 0, -1)) do
    call('ZADD', P .. of(kind, 'leases'), again(id, 'set', 'due'), id)
  end
end
local function rewind()
  for _, kind in ipairs(KINDS) do rewindQueue(kind) end
  for _, origin in ipairs(call('ZRANGE', P .. 'dorigins', 0, -1)) do
    for _, id in ipairs(call('ZRANGE', P .. 'dwait:' .. origin, 0, -1)) do
      call('ZADD', P .. 'dwait:' .. origin, again(id, 'dset', 'ddue'), id)
    end
    refresh(origin)
  end
  for _, name in ipairs(call('ZRANGEBYSCORE', P .. 'kept', '(' .. string.format('%.0f', now + DAY), '+inf')) do
    call('ZADD', P .. 'kept', now + DAY, name)
  end
  for _, name in ipairs({ 'ages', 'ended' }) do
    for _, id in ipairs(call('ZRANGEBYSCORE', P .. name, '(' .. string.format('%.0f', now), '+inf')) do
      call('ZADD', P .. name, now, id)
    end
  end
end
-- Above its maxmemory, Redis rejects the first write that needs memory, but lets a script that has already written continue. Calls that
-- store something new should be rejected then; those that end or remove something should not, so they begin with a write that needs none.
local TAKES = { accept = true, begin = true, storeAnswer = true }
if not TAKES[ARGV[4]] then call('DEL', P .. 'none') end
local last = call('GET', P .. 'clock')
if last and now < last - CLOCK_BACK then rewind() end
call('SET', P .. 'clock', now)
