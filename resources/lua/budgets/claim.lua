-- A node's sign of life, its claims as they are, and what it wants more. Told again they change nothing.
-- ARGV after lease and id: number of the call, 1 if these are the last of all its claims, else 0; then for each window: ms at which it
-- began, limit, version of the limit, adjusted upwards, adjusted downwards, claimed, of that reserved, of that unused, wanted by
-- requests that wait, wanted in advance, ms at which the window is forgotten.
-- Returns [code, then for each window: code, granted, total, reserved and unused of all nodes that are alive, debt]; code of the call
-- -1: late; of a window 0: granted is all there is for it, 1: to be seeded, 2: nothing is granted yet, 3: there are more end users than the
-- budget tells apart. debt: used beyond the limit that was not told before.
local FIRST, WORDS = 5, 11
-- Nobody's clock is further ahead: no window that begins later than this after the loss was spent from before it.
local MAX_SKEW_MS = 60000
-- Of what is left, all nodes together have a sixteenth in advance: little enough to be missed by nobody, and plenty while there is much.
local SHARES = 16
-- Somebody has deleted everything: as after a restart, all have to register again.
if redis.call('HEXISTS', CALLS, ID) == 0 then return redis.error_reply('LOST this node is not known any more') end
if isLate(tonumber(ARGV[3])) then return { -1 } end
renewLease()
local since = number(STATE, 'since')
local isGranting = isOpen()
local living = livingNodes()
local nodes = redis.call('ZCARD', NODES)
local answer = { 0 }

local function say(...)
  for _, value in ipairs({ ... }) do answer[#answer + 1] = value end
end

local function putOpen(key, reserved, unused)
  if reserved + unused == 0 then
    redis.call('HDEL', key, ID)
  else
    redis.call('HSET', key, ID, text(reserved) .. ' ' .. text(unused))
  end
end

-- The sums over all users change by as much as those of this one.
local function setOpen(key, reserved, unused, parent)
  if parent then
    local heldBefore, unusedBefore = openOf(redis.call('HGET', key, ID))
    local held, rest = openOf(redis.call('HGET', parent .. ':open', ID))
    putOpen(parent .. ':open', math.max(0, held + reserved - heldBefore), math.max(0, rest + unused - unusedBefore))
  end
  putOpen(key, reserved, unused)
end

local function limitOf(key, limit, version)
  local known = redis.call('HGET', key, 'version')
  if known and tonumber(known) >= version then return number(key, 'limit'), false end
  redis.call('HSET', key, 'limit', text(limit), 'version', text(version))
  return limit, known ~= false
end

-- What is used beyond the limit for the first time; what a lower limit has put there is no debt.
local function debtOf(key, excess, isLowered)
  local known = number(key, 'debt')
  if excess > known then redis.call('HSET', key, 'debt', text(excess)) end
  return isLowered and 0 or math.max(0, excess - known)
end

-- Both only grow: the larger is the later one.
local function adjusted(key, plus, minus)
  local knownPlus, knownMinus = number(key, 'plus'), number(key, 'minus')
  if plus > knownPlus then redis.call('HSET', key, 'plus', text(plus)) end
  if minus > knownMinus then redis.call('HSET', key, 'minus', text(minus)) end
  return math.max(0, plus - knownPlus) - math.max(0, minus - knownMinus)
end

for i = 1, (#KEYS - GROUND) / 2 do
  local at, key, open = FIRST + (i - 1) * WORDS, KEYS[GROUND - 1 + i * 2], KEYS[GROUND + i * 2]
  local startMs, limit, version = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local plus, minus, claimed = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5])
  local reserved, unused = tonumber(ARGV[at + 6]), tonumber(ARGV[at + 7])
  local wanted, ahead, forgetMs = tonumber(ARGV[at + 8]), tonumber(ARGV[at + 9]), ARGV[at + 10]
  local total = tonumber(redis.call('HGET', key, 'total') or -1)
  local parent, isFirst = parentOf(key), false
  if total < 0 and startMs > since + MAX_SKEW_MS and redis.call('EXISTS', key) == 0 then total, isFirst = 0, true end
  local before = number(key, 'c:' .. ID)
  if total < 0 then
    setClaim(key, ID, claimed)
    setOpen(open, reserved, unused, parent)
    say(1, 0, 0, 0, 0, 0)
  elseif parent and isFirst and claimed + wanted + plus + minus == 0 then
    -- Nobody is counted who has asked for nothing.
    say(0, 0, 0, 0, 0, 0)
  elseif parent and isFirst and claimed == 0 and isCrowded(parent) then
    say(3, 0, 0, 0, 0, 0)
  else
    if parent and isFirst then countUser(parent, forgetMs) end
    local isChanged
    limit, isChanged = limitOf(key, limit, version)
    total = math.max(0, total + adjusted(key, plus, minus) + claimed - before)
    local debt = debtOf(key, math.max(0, total - limit), isChanged)
    local left, granted = math.max(0, limit - total), 0
    if isGranting then
      granted = math.min(left, wanted)
      granted = granted + math.min(ahead, math.floor((left - granted) / (SHARES * nodes)))
    end
    setClaim(key, ID, claimed + granted)
    setOpen(open, reserved, unused + granted, parent)
    redis.call('HSET', key, 'total', text(total + granted))
    local allReserved, allUnused = openSums(open, living)
    say(isGranting and 0 or 2, granted, total + granted, allReserved, allUnused, debt)
  end
  if before == 0 then redis.call('ZADD', WINDOWS, forgetMs, key) end
  redis.call('PEXPIREAT', key, forgetMs)
  redis.call('PEXPIREAT', open, forgetMs)
  if parent then redis.call('PEXPIREAT', parent .. ':open', forgetMs) end
end
redis.call('ZREMRANGEBYSCORE', WINDOWS, '-inf', text(nowMs))
if ARGV[4] == '1' then redis.call('SREM', AWAITED, ID) end
return answer
