-- The calls of runners and webhook couriers.

-- Returns a job to the head of its key's queue, where it came from.
local function giveBack(id)
  unlease(id)
  enqueue(id, math.min(now, tonumber(get(id, 'accepted')[1])))
  tell('work')
end

-- Adds the cost of a run, in nano-dollars; empty where it is not known.
local function charge(id, cost)
  if cost ~= '' then call('HINCRBY', job(id), 'cost', cost) end
end

function ops.claim(kind, limit, lease, maxAttempts, lost)
  for _, id in ipairs(call('ZRANGEBYSCORE', P .. of(kind, 'leases'), '-inf', now, 'LIMIT', 0, BATCH)) do
    if tonumber(get(id, 'attempts')[1]) < tonumber(maxAttempts) then giveBack(id) else finish(id, 'error', 'error', lost) end
    -- A run that continues without its lease is useless.
    tell('cancelled', id)
  end
  local claimed = {}
  local isMore = true
  while isMore and #claimed < tonumber(limit) do
    isMore = false
    -- Of the keys with a job to start, the one served longest ago; its oldest job.
    for _, owner in ipairs(call('ZRANGE', P .. of(kind, 'turns'), 0, -1)) do
      local name = call('ZRANGEBYSCORE', P .. of(kind, 'wait:') .. owner, '-inf', now, 'LIMIT', 0, 1)[1]
      if name then
        local id = idOf(name)
        dequeue(id)
        count(of(kind, 'processing'), 1)
        call('HINCRBY', job(id), 'attempts', 1)
        local fence = call('HINCRBY', job(id), 'fence', 1)
        set(id, 'state', 'processing', 'changed', now, 'set', now, 'due', now + lease)
        call('ZADD', P .. of(kind, 'leases'), now + lease, id)
        call('ZADD', P .. of(kind, 'turns'), call('INCR', P .. 'served'), owner)
        local job = whole(id)
        job[4], job[5] = fence, get(id, 'spent')[1]
        claimed[#claimed + 1] = job
        isMore = true
        break
      end
    end
  end
  return claimed
end

function ops.renew(id, fence, lease)
  if not holds(id, fence) then return 0 end
  set(id, 'set', now, 'due', now + lease)
  call('ZADD', P .. of(kindOf(id), 'leases'), now + lease, id)
  return 1
end

function ops.complete(id, fence, answer, cost)
  if not holds(id, fence) then return 0 end
  charge(id, cost)
  set(id, 'error', '')
  finish(id, 'completed', 'answer', answer)
  call('HINCRBY', job(id), 'bytes', #answer)
  store(get(id, 'owner')[1], 'jobs', #answer)
  return 1
end

function ops.fail(id, fence, error, cost)
  if not holds(id, fence) then return 0 end
  charge(id, cost)
  finish(id, 'error', 'error', error)
  return 1
end

function ops.discard(id, fence)
  if not holds(id, fence) then return 0 end
  discard(id)
  return 1
end

function ops.retry(id, fence, delay, error, spent, uncounted, cost)
  if not holds(id, fence) then return 0 end
  charge(id, cost)
  unlease(id)
  set(id, 'error', error, 'spent', spent)
  if uncounted == '1' then call('HINCRBY', job(id), 'attempts', -1) end
  enqueue(id, now + delay)
  return 1
end

function ops.release(id, fence, cost)
  if not holds(id, fence) then return 0 end
  charge(id, cost)
  call('HINCRBY', job(id), 'attempts', -1)
  giveBack(id)
  return 1
end

function ops.cleanUp(retention)
  forgetKept()
  local ids = call('ZRANGEBYSCORE', P .. 'ended', '-inf', now - retention, 'LIMIT', 0, BATCH)
  for _, id in ipairs(ids) do
    call('ZREM', P .. 'ended', id)
    local kind = kindOf(id)
    count(of(kind, remove(id)), -1)
  end
  return #ids
end

function ops.claimDeliveries(limit, lease, perOrigin, except)
  local skip = {}
  for _, origin in ipairs(cjson.decode(except)) do skip[origin] = true end
  local claimed = {}
  limit = tonumber(limit)
  for _, origin in ipairs(call('ZRANGEBYSCORE', P .. 'dorigins', '-inf', now)) do
    if #claimed >= limit then break end
    local most = math.min(tonumber(perOrigin), limit - #claimed)
    local ids = skip[origin] and {} or call('ZRANGEBYSCORE', P .. 'dwait:' .. origin, '-inf', now, 'LIMIT', 0, most)
    for _, id in ipairs(ids) do
      local fence = call('HINCRBY', job(id), 'dfence', 1)
      call('HINCRBY', job(id), 'dattempts', 1)
      set(id, 'dheld', 1, 'dset', now, 'ddue', now + lease)
      call('ZADD', P .. 'dwait:' .. origin, now + lease, id)
      local found = whole(id)
      found[4], found[5] = fence, get(id, 'dended')[1]
      claimed[#claimed + 1] = found
    end
    refresh(origin)
  end
  return claimed
end

function ops.settleDelivery(id, fence, kind, delay, error)
  local at = get(id, 'dfence', 'dheld', 'origin')
  if at[1] ~= fence or at[2] ~= '1' then return 0 end
  local state = kind == 'retry' and 'due' or kind
  set(id, 'dheld', 0, 'dstate', state, 'derror', error, 'dset', now, 'ddue', now + delay)
  if kind == 'retry' then
    call('ZADD', P .. 'dwait:' .. at[3], now + delay, id)
  else
    call('ZREM', P .. 'dwait:' .. at[3], id)
    call('ZADD', P .. 'ended', now, id)
    count('due', -1)
    if kind == 'dead' then count('dead', 1) end
  end
  refresh(at[3])
  return 1
end
