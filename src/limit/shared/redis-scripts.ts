// What nodes share of limits, as Redis runs it: each script is one atomic step on the clock of Redis (TIME), so that it does
// not matter whose clock is wrong. Buckets are token-bucket.ts in ticks; doubles hold every number here exactly.
//
//   {sluice}:bucket:...   "<µs> <ticks>"        how far ahead of that moment the bucket was: 0 full, capacity empty
//   {sluice}:slots        owner -> taken        by all nodes together
//   {sluice}:node:<id>    owner -> taken        by this node: what comes back when its lease is over
//   {sluice}:nodes        id by ms of its last sign of life
//   {sluice}:turns        key's name -> number of its last admission, `*` -> of the last of all
//   {sluice}:waiting      node's id and key's name by ms of when the node last said that the key waits there for the gateway
import { LIMIT_TICKS } from '../local/token-bucket.js'

/** One hash tag: all keys are in one slot of a cluster. */
const PREFIX = '{sluice}:'
export const NODES_KEY = `${PREFIX}nodes`
export const SLOTS_KEY = `${PREFIX}slots`

/** The key of one bucket; names come from configuration. */
export function bucketKey(owner: string, kind: string): string {
  return `${PREFIX}bucket:${owner}:${kind}`
}

/** A node says every 20 ms which keys wait there (shared-queue.ts); one that has not for so long is gone, or stands still. */
const WAITING_MS = 250
/** Turns are forgotten when no key was admitted for so long. */
const TURNS_KEPT_MS = 86_400_000

const PRELUDE = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local NODES, SLOTS = KEYS[1], KEYS[2]
local NODE = '${PREFIX}node:'

local TURNS, WAITING = '${PREFIX}turns', '${PREFIX}waiting'

-- A clock of Redis that was set back takes nothing from a bucket and gives it nothing.
local function load(key)
  local state = redis.call('GET', key)
  if not state then return 0 end
  local at, ahead = string.match(state, '^(%d+) (%d+)$')
  if not at then return 0 end
  local passed = math.max(0, now - tonumber(at))
  return math.max(0, tonumber(ahead) - passed * ${LIMIT_TICKS.perMicrosecond})
end

-- A bucket that is full needs no memory.
local function store(key, ahead)
  if ahead <= 0 then
    redis.call('DEL', key)
  else
    local fullInMs = math.ceil(ahead / (1000 * ${LIMIT_TICKS.perMicrosecond}))
    redis.call('SET', key, string.format('%.0f %.0f', now, ahead), 'PX', string.format('%.0f', fullInMs + 1000))
  end
end

local function addSlots(owner, count)
  if redis.call('HINCRBY', SLOTS, owner, count) <= 0 then redis.call('HDEL', SLOTS, owner) end
end

local function drop(id)
  local held = redis.call('HGETALL', NODE .. id)
  for i = 1, #held, 2 do addSlots(held[i], -held[i + 1]) end
  redis.call('DEL', NODE .. id)
  redis.call('ZREM', NODES, id)
end

-- Also a sign of life from the future: the clock of Redis was set back.
local function reap(leaseMs)
  local nowMs = math.floor(now / 1000)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', NODES, '-inf', '(' .. string.format('%.0f', nowMs - leaseMs))) do drop(id) end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', NODES, '(' .. string.format('%.0f', nowMs + leaseMs), '+inf')) do drop(id) end
  return string.format('%.0f', nowMs)
end

-- Below 0 is no cap.
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

-- Whether a slot of the gateway is left for the key when those that were let in longer ago have had theirs.
local function isTurn(name, free)
  if free <= 0 then return false end
  if free == math.huge or redis.call('ZCARD', WAITING) < free then return true end
  local ms = tonumber(nowMs)
  redis.call('ZREMRANGEBYSCORE', WAITING, '-inf', string.format('%.0f', ms - ${WAITING_MS}))
  redis.call('ZREMRANGEBYSCORE', WAITING, string.format('%.0f', ms + ${WAITING_MS}), '+inf')
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

local function letIn(id, name, keyCap, cap)
  if keyCap >= 0 then hold(id, name) end
  if cap < 0 then return end
  hold(id, 'gateway')
  redis.call('HSET', TURNS, name, redis.call('HINCRBY', TURNS, '*', 1))
  redis.call('PEXPIRE', TURNS, ${TURNS_KEPT_MS})
end
`

/** Takes from all buckets or from none: `answer` is [code, ahead of each bucket], code n for the n-th bucket that refuses. */
const TAKE_BUCKETS = `
local answer, wanted, refusedBy = { 0 }, {}, 0
for i = 1, buckets do
  local cost, limit, count = tonumber(ARGV[i * 3]), tonumber(ARGV[i * 3 + 1]), tonumber(ARGV[i * 3 + 2])
  local ahead = load(KEYS[2 + i])
  wanted[i] = ahead + cost * count
  if wanted[i] > cost * limit and refusedBy == 0 then refusedBy = i end
  answer[i + 1] = ahead
end
answer[1] = refusedBy
if refusedBy > 0 then return answer end
for i = 1, buckets do
  store(KEYS[2 + i], wanted[i])
  answer[i + 1] = wanted[i]
end
`

/**
 * An admission: all buckets or none, then all slots or none.
 * KEYS nodes, slots, bucket...; ARGV node id, number of buckets, for each bucket cost, limit, count; for each slot owner, cap.
 * Answers [code, ahead of each bucket]; code 0: all taken, n: the n-th bucket or slot refused, -1: the node is not known.
 */
export const TAKE = script(`
local id, buckets = ARGV[1], tonumber(ARGV[2])
local firstSlot = 3 + buckets * 3
if #ARGV >= firstSlot and not redis.call('ZSCORE', NODES, id) then return { -1 } end
${TAKE_BUCKETS}
local place = buckets
for at = firstSlot, #ARGV, 2 do
  place = place + 1
  if isFull(ARGV[at], tonumber(ARGV[at + 1])) then
    answer[1] = place
    return answer
  end
end
for at = firstSlot, #ARGV, 2 do hold(id, ARGV[at]) end
return answer
`)

/**
 * An admission where keys take turns: as TAKE, with the slots of the key and of the gateway, and the latter only if no key that
 * waits elsewhere comes first. A request that must wait for a slot has been counted, and its key is known to wait.
 * KEYS nodes, slots, bucket...; ARGV as for TAKE up to the buckets, then gateway cap, key's name, key's cap (-1: none).
 * Answers [code, ahead of each bucket]; code 0: all taken, n: the n-th bucket, n + 1: the key, n + 2: the gateway refused, -1.
 */
export const ENTER = script(`
local id, buckets = ARGV[1], tonumber(ARGV[2])
if not redis.call('ZSCORE', NODES, id) then return { -1 } end
${TAKE_BUCKETS}
local cap, name, keyCap = tonumber(ARGV[#ARGV - 2]), ARGV[#ARGV - 1], tonumber(ARGV[#ARGV])
if isFull(name, keyCap) then
  answer[1] = buckets + 1
elseif not isTurn(name, freeOf(cap)) then
  redis.call('ZADD', WAITING, nowMs, waitingAt(id, name))
  answer[1] = buckets + 2
else
  letIn(id, name, keyCap, cap)
end
return answer
`)

/**
 * Lets in one of the keys that wait at a node, if it is the turn of one; the others are known to wait from now on.
 * KEYS nodes, slots; ARGV node id, gateway cap, then for each key its name, its cap (-1: none) and how many of it wait there.
 * Answers [code, then for each key 1 if it is at its own cap, else 0]; code n: the n-th key is in, 0: none, -1: the node is not known.
 */
export const NEXT = script(`
local id, cap = ARGV[1], tonumber(ARGV[2])
if not redis.call('ZSCORE', NODES, id) then return { -1 } end
local answer, due, dueTurn = { 0 }, nil, nil
for at = 3, #ARGV, 3 do
  local i, name = at / 3, ARGV[at]
  if isFull(name, tonumber(ARGV[at + 1])) then
    answer[i + 1] = 1
    redis.call('ZREM', WAITING, waitingAt(id, name))
  else
    answer[i + 1] = 0
    if cap >= 0 then redis.call('ZADD', WAITING, nowMs, waitingAt(id, name)) end
    local turn = turnOf(name)
    if not due or turn < dueTurn then due, dueTurn = at, turn end
  end
end
if due and isTurn(ARGV[due], freeOf(cap)) then
  letIn(id, ARGV[due], tonumber(ARGV[due + 1]), cap)
  if tonumber(ARGV[due + 2]) <= 1 then redis.call('ZREM', WAITING, waitingAt(id, ARGV[due])) end
  answer[1] = due / 3
end
return answer
`)

/** A key has no waiter at a node any more. KEYS nodes, slots; ARGV node id, name. */
export const PASS = script(`
redis.call('ZREM', WAITING, waitingAt(ARGV[1], ARGV[2]))
return 1
`)

/**
 * What was used otherwise than it was taken. KEYS nodes, slots, bucket...; ARGV node id, number of buckets, for each bucket
 * cost, limit, count (above 0: used more, into debt if need be; below: not used); then owner, count of slots (below 0: freed).
 * Answers [0, ahead of each bucket].
 */
export const GIVE = script(`
local id, buckets = ARGV[1], tonumber(ARGV[2])
local answer = { 0 }
for i = 1, buckets do
  local cost, limit, count = tonumber(ARGV[i * 3]), tonumber(ARGV[i * 3 + 1]), tonumber(ARGV[i * 3 + 2])
  local ahead = math.max(0, math.min(load(KEYS[2 + i]) + cost * count, cost * limit + ${LIMIT_TICKS.maxDebt}))
  store(KEYS[2 + i], ahead)
  answer[i + 1] = ahead
end
if not redis.call('ZSCORE', NODES, id) then return answer end
for at = 3 + buckets * 3, #ARGV, 2 do
  local own = tonumber(redis.call('HGET', NODE .. id, ARGV[at]) or 0)
  local count = math.max(tonumber(ARGV[at + 1]), -own)
  redis.call('HINCRBY', NODE .. id, ARGV[at], string.format('%.0f', count))
  addSlots(ARGV[at], string.format('%.0f', count))
end
return answer
`)

/**
 * Makes a node known, with what it holds; its former selves and the nodes whose lease is over give back what they held.
 * KEYS nodes, slots; ARGV lease in ms, node id, number of former ids, former ids ..., then owner, count of each slot held.
 */
export const REGISTER = script(`
local id, formers = ARGV[2], tonumber(ARGV[3])
for i = 1, formers do drop(ARGV[3 + i]) end
local nowMs = reap(tonumber(ARGV[1]))
if redis.call('ZCARD', NODES) == 0 then redis.call('DEL', SLOTS) end
redis.call('ZADD', NODES, nowMs, id)
for at = 4 + formers, #ARGV, 2 do
  redis.call('HINCRBY', SLOTS, ARGV[at], ARGV[at + 1])
  redis.call('HINCRBY', NODE .. id, ARGV[at], ARGV[at + 1])
end
return 1
`)

/** A sign of life. KEYS nodes, slots; ARGV lease in ms, node id. Answers 0 when the node's lease was over: it must register. */
export const BEAT = script(`
if not redis.call('ZSCORE', NODES, ARGV[2]) then return 0 end
redis.call('ZADD', NODES, string.format('%.0f', math.floor(now / 1000)), ARGV[2])
reap(tonumber(ARGV[1]))
return 1
`)

/** A node that ends. KEYS nodes, slots; ARGV node id. */
export const LEAVE = script('drop(ARGV[1])\nreturn 1\n')

export const SCRIPTS: readonly string[] = Object.freeze([TAKE, ENTER, NEXT, PASS, GIVE, REGISTER, BEAT, LEAVE])

function script(body: string): string {
  return PRELUDE + body
}
