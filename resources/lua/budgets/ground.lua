-- The common part of the scripts of budgets that hold over several nodes: each script is this file and one other, one atomic step on the
-- clock of Redis (TIME). A node is one process; its id is never used again. What it claims of a window is all that it has spent and
-- reserved there, and what it may still reserve without asking. The sum of all claims is what is used of the budget.
--
--   {sluice}:spend:state        run: of the server that all below was made by | since: in ms | until: nothing is granted before, in ms
--   {sluice}:spend:nodes        id by ms of its last sign of life
--   {sluice}:spend:calls        id -> number of its last call
--   {sluice}:spend:awaited      ids that may have claims that are not known here any more
--   {sluice}:spend:of:<id>      windows of which a node claims something, by ms at which they are forgotten
--   {sluice}:spend:<window>     base: spent by nodes that are not known apart | total | limit, version, debt: the most
--                               that was ever used beyond it | plus, minus: adjusted |
--                               c:<id>: claimed; without total it is to be seeded from the database
--   {sluice}:spend:<window>:open    id -> "<reserved> <unused>": of its claim, where there is any
--   {sluice}:spend:<window>:users   how many end users it tells apart, where it does
--
-- A window is <budget>:<ms at which it began>, or of one end user <budget>/<user>:<ms>. The former then has no total, and in `open` what is
-- reserved and unused for all its users together. Its two keys are found from those of the user: the hash tag keeps all in one slot.
--
-- A node that does not renew its lease is still charged with all that it claims: it may have spent it. It is only shown as spent.
--
-- KEYS: the first five, then both of each window. ARGV begins with the lease in ms and the node's id.
local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
local STATE, NODES, CALLS, AWAITED, WINDOWS = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
-- Keys before those of the windows.
local GROUND = 5
local LEASE_MS, ID = tonumber(ARGV[1]), ARGV[2]
-- Of one budget in one window, over all nodes.
local MAX_USERS = 10000

local function text(number) return string.format('%.0f', number) end

local function number(key, field) return tonumber(redis.call('HGET', key, field) or 0) end

-- A call that arrives after a later one, by an earlier connection, changes nothing.
local function isLate(sequence)
  if sequence <= number(CALLS, ID) then return true end
  redis.call('HSET', CALLS, ID, text(sequence))
  return false
end

-- A sign of life in the future is one from before the clock of Redis was set back.
local function renewLease()
  redis.call('ZADD', NODES, text(nowMs), ID)
  redis.call('ZREMRANGEBYSCORE', NODES, '-inf', '(' .. text(nowMs - LEASE_MS))
  redis.call('ZREMRANGEBYSCORE', NODES, '(' .. text(nowMs + LEASE_MS), '+inf')
end

-- Whether everybody's claims are known, as far as can be hoped for.
local function isOpen()
  if redis.call('SCARD', AWAITED) == 0 then return true end
  if nowMs < number(STATE, 'until') then return false end
  redis.call('DEL', AWAITED)
  return true
end

-- The window of the budget itself, from that of one of its end users; nil for all others.
local function parentOf(key)
  local budget, start = string.match(key, '^([^/]+)/[^:]*(:%d+)$')
  return budget and budget .. start
end

local function isCrowded(parent) return tonumber(redis.call('GET', parent .. ':users') or 0) >= MAX_USERS end

local function countUser(parent, forgetMs)
  redis.call('INCR', parent .. ':users')
  redis.call('PEXPIREAT', parent .. ':users', forgetMs)
end

local function livingNodes()
  local living = {}
  for _, id in ipairs(redis.call('ZRANGE', NODES, 0, -1)) do living[id] = true end
  return living
end

local function openOf(text)
  local held, rest = string.match(text or '', '^(%d+) (%d+)$')
  return tonumber(held or 0), tonumber(rest or 0)
end

-- Of all nodes that are alive.
local function openSums(key, living)
  local all, reserved, unused = redis.call('HGETALL', key), 0, 0
  for i = 1, #all, 2 do
    if living[all[i]] then
      local held, rest = openOf(all[i + 1])
      reserved, unused = reserved + held, unused + rest
    end
  end
  return reserved, unused
end

local function setClaim(key, id, amount)
  if amount == 0 then redis.call('HDEL', key, 'c:' .. id) else redis.call('HSET', key, 'c:' .. id, text(amount)) end
end
