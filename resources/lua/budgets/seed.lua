-- What the database knows of windows that are not known here. A node has spent at least what it has stored; what it claims may be more.
-- ARGV after lease and id: for each window: spent by nodes that are not known apart, adjusted upwards and downwards (in addition), ms at
-- which the window is forgotten, number of end users that the database knows of its budget, number of nodes, then id and stored of each.
-- Returns for each window 1, or 0 for one of an end user that is not known anywhere, where there are as many as the budget tells apart.
local at = 3
local answer = {}

-- Those that the database knows are among the ones that it counts. False: no more have room.
local function letIn(key, parent, forgetMs, users, isKnown)
  if users > tonumber(redis.call('GET', parent .. ':users') or 0) then
    redis.call('SET', parent .. ':users', text(users))
    redis.call('PEXPIREAT', parent .. ':users', forgetMs)
  end
  if isKnown then return true end
  -- What is claimed already cannot be refused any more.
  if isCrowded(parent) and redis.call('EXISTS', key) == 0 then return false end
  countUser(parent, forgetMs)
  return true
end

for i = 1, (#KEYS - GROUND) / 2 do
  local key = KEYS[GROUND - 1 + i * 2]
  local base, plus, minus = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local forgetMs, users, count = ARGV[at + 3], tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5])
  local parent = parentOf(key)
  local isUnseeded = redis.call('HEXISTS', key, 'total') == 0
  local isKnown = base + plus + minus > 0 or count > 0
  local isIn = not isUnseeded or not parent or letIn(key, parent, forgetMs, users, isKnown)
  if isUnseeded and isIn then
    for n = 1, count do
      local id, stored = ARGV[at + 4 + n * 2], tonumber(ARGV[at + 5 + n * 2])
      if stored > number(key, 'c:' .. id) then setClaim(key, id, stored) end
    end
    local total, all = base + plus - minus, redis.call('HGETALL', key)
    for n = 1, #all, 2 do
      if string.sub(all[n], 1, 2) == 'c:' then total = total + tonumber(all[n + 1]) end
    end
    redis.call('HSET', key, 'base', text(base), 'plus', text(plus), 'minus', text(minus), 'total', text(math.max(0, total)))
    redis.call('PEXPIREAT', key, forgetMs)
  end
  answer[i] = isIn and 1 or 0
  at = at + 6 + count * 2
end
return answer
