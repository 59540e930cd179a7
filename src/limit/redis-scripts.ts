// What nodes share of limits, as Redis runs it: each script is one atomic step on the clock of Redis (TIME), so that it does
// not matter whose clock is wrong. Buckets are token-bucket.ts in ticks; doubles hold every number here exactly.
//
//   {sluice}:bucket:...   "<µs> <ticks>"        how far ahead of that moment the bucket was: 0 full, capacity empty
//   {sluice}:slots        owner -> taken        by all nodes together
//   {sluice}:node:<id>    owner -> taken        by this node: what comes back when its lease is over
//   {sluice}:nodes        id by ms of its last sign of life
import { LIMIT_TICKS } from './token-bucket.js'

/** One hash tag: all keys are in one slot of a cluster. */
const PREFIX = '{sluice}:'
export const NODES_KEY = `${PREFIX}nodes`
export const SLOTS_KEY = `${PREFIX}slots`

/** The key of one bucket; names come from configuration. */
export function bucketKey(owner: string, kind: string): string {
  return `${PREFIX}bucket:${owner}:${kind}`
}

const PRELUDE = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local NODES, SLOTS = KEYS[1], KEYS[2]
local NODE = '${PREFIX}node:'

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
`

/**
 * An admission: all buckets or none, then all slots or none; a request that must wait for a slot has been counted.
 * KEYS nodes, slots, bucket...; ARGV node id, number of buckets, for each bucket cost, limit, count; for each slot owner, cap.
 * Answers [code, ahead of each bucket]; code 0: all taken, n: the n-th bucket or slot refused, -1: the node is not known.
 */
export const TAKE = script(`
local id, buckets = ARGV[1], tonumber(ARGV[2])
local firstSlot = 3 + buckets * 3
if #ARGV >= firstSlot and not redis.call('ZSCORE', NODES, id) then return { -1 } end
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
local place = buckets
for at = firstSlot, #ARGV, 2 do
  place = place + 1
  local taken = tonumber(redis.call('HGET', SLOTS, ARGV[at]) or 0)
  if taken >= tonumber(ARGV[at + 1]) then
    answer[1] = place
    return answer
  end
end
for at = firstSlot, #ARGV, 2 do
  redis.call('HINCRBY', SLOTS, ARGV[at], 1)
  redis.call('HINCRBY', NODE .. id, ARGV[at], 1)
end
return answer
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

export const SCRIPTS: readonly string[] = Object.freeze([TAKE, GIVE, REGISTER, BEAT, LEAVE])

function script(body: string): string {
  return PRELUDE + body
}
