-- The common part of the scripts of shared limits: each script is this file and one other, one atomic step on the clock of Redis (TIME),
-- so that nodes with wrong clocks do no harm. Buckets are those of token-bucket.ts in ticks; doubles hold every number here exactly.
--
--   {sluice}:bucket:...   "<us> <ticks>"        how far ahead of that moment the bucket was: 0 full, capacity empty
--   {sluice}:slots        owner -> taken        by all nodes together
--   {sluice}:node:<id>    owner -> taken        by this node: returned when its lease expires
--   {sluice}:nodes        id by ms of its last sign of life
--   {sluice}:turns        key's name -> number of its last admission, `*` -> that of any key
--   {sluice}:waiting      node's id and key's name by ms of the node's last report that the key waits there for the gateway
--
-- KEYS: nodes, slots, turns, waiting, the prefix of a node's id, then the buckets. ARGV begins with ticks per microsecond and the
-- largest debt in ticks, which are removed here: the ARGV that each script documents follows them.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local NODES, SLOTS, TURNS, WAITING, NODE = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local TICKS_PER_MICROSECOND, MAX_DEBT = tonumber(table.remove(ARGV, 1)), tonumber(table.remove(ARGV, 1))
-- A node reports every 20 ms which keys wait there; without a report for this long it is dead or stuck.
local WAITING_MS = 250
-- Turns are deleted when no key was admitted for this long.
local TURNS_KEPT_MS = 86400000

local function bucket(i) return KEYS[5 + i] end

-- If the clock of Redis was set back, a bucket neither gains nor loses.
local function load(key)
  local state = redis.call('GET', key)
  if not state then return 0 end
  local at, ahead = string.match(state, '^(%d+) (%d+)$')
  if not at then return 0 end
  local passed = math.max(0, now - tonumber(at))
  return math.max(0, tonumber(ahead) - passed * TICKS_PER_MICROSECOND)
end

-- A full bucket is not stored.
local function store(key, ahead)
  if ahead <= 0 then
    redis.call('DEL', key)
  else
    local fullInMs = math.ceil(ahead / (1000 * TICKS_PER_MICROSECOND))
    redis.call('SET', key, string.format('%.0f %.0f', now, ahead), 'PX', string.format('%.0f', fullInMs + 1000))
  end
end

local function add(hash, owner, count)
  if redis.call('HINCRBY', hash, owner, string.format('%.0f', count)) <= 0 then redis.call('HDEL', hash, owner) end
end

local function addSlots(owner, count) add(SLOTS, owner, count) end

local function drop(id)
  local held = redis.call('HGETALL', NODE .. id)
  -- A difference: the negative of 0 is -0, which is no integer to Redis.
  for i = 1, #held, 2 do addSlots(held[i], 0 - held[i + 1]) end
  redis.call('DEL', NODE .. id)
  redis.call('ZREM', NODES, id)
end

-- Also drops nodes with a sign of life in the future: the clock of Redis was set back.
local function reap(leaseMs)
  local nowMs = math.floor(now / 1000)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', NODES, '-inf', '(' .. string.format('%.0f', nowMs - leaseMs))) do drop(id) end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', NODES, '(' .. string.format('%.0f', nowMs + leaseMs), '+inf')) do drop(id) end
  return string.format('%.0f', nowMs)
end

-- A cap below 0 means no cap.
local function isFull(owner, cap)
  return cap >= 0 and tonumber(redis.call('HGET', SLOTS, owner) or 0) >= cap
end

local function hold(id, owner)
  redis.call('HINCRBY', SLOTS, owner, 1)
  redis.call('HINCRBY', NODE .. id, owner, 1)
end

local nowMs = string.format('%.0f', math.floor(now / 1000))

local function freeOf(cap)
  if cap < 0 then return math.huge end
  return cap - tonumber(redis.call('HGET', SLOTS, 'gateway') or 0)
end

local function turnOf(name)
  return tonumber(redis.call('HGET', TURNS, name) or 0)
end

local function waitingAt(id, name)
  return id .. ' ' .. name
end

-- Whether a slot of the gateway is left for the key after the waiting keys that were admitted longer ago have got theirs.
local function isTurn(name, free)
  if free <= 0 then return false end
  if free == math.huge or redis.call('ZCARD', WAITING) < free then return true end
  local ms = tonumber(nowMs)
  redis.call('ZREMRANGEBYSCORE', WAITING, '-inf', string.format('%.0f', ms - WAITING_MS))
  redis.call('ZREMRANGEBYSCORE', WAITING, string.format('%.0f', ms + WAITING_MS), '+inf')
  local own, before, seen = turnOf(name), 0, { [name] = true }
  for _, waiting in ipairs(redis.call('ZRANGE', WAITING, 0, -1)) do
    local other = string.match(waiting, ' (.*)$')
    if not seen[other] then
      seen[other] = true
      if turnOf(other) < own then before = before + 1 end
    end
  end
  return before < free
end

-- Whether the key is at its own cap, or its team at its; a key without a team has an empty one.
local function isKeyFull(name, keyCap, team, teamCap)
  return isFull(name, keyCap) or (team ~= '' and isFull(team, teamCap))
end

local function letIn(id, name, keyCap, team, teamCap, cap)
  if keyCap >= 0 then hold(id, name) end
  if team ~= '' and teamCap >= 0 then hold(id, team) end
  if cap < 0 then return end
  hold(id, 'gateway')
  redis.call('HSET', TURNS, name, redis.call('HINCRBY', TURNS, '*', 1))
  redis.call('PEXPIRE', TURNS, TURNS_KEPT_MS)
end

-- Takes from all buckets or from none. Returns [code, ahead of each bucket]; code n: the n-th bucket rejects, 0: none does.
local function takeBuckets(buckets)
  local answer, wanted, refusedBy = { 0 }, {}, 0
  for i = 1, buckets do
    local cost, limit, count = tonumber(ARGV[i * 3]), tonumber(ARGV[i * 3 + 1]), tonumber(ARGV[i * 3 + 2])
    local ahead = load(bucket(i))
    wanted[i] = ahead + cost * count
    if wanted[i] > cost * limit and refusedBy == 0 then refusedBy = i end
    answer[i + 1] = ahead
  end
  answer[1] = refusedBy
  if refusedBy > 0 then return answer end
  for i = 1, buckets do
    store(bucket(i), wanted[i])
    answer[i + 1] = wanted[i]
  end
  return answer
end
