-- The calls for clients' jobs: accept, read, list, cancel; answers kept for repeated requests; counts.
local ops = {}

local function repeated(id)
  local at = get(id, 'state', 'owner', 'seq')
  local place = 0
  if at[1] == 'pending' then
    place = position('chat', at[2], call('ZRANK', P .. 'wait:' .. at[2], member(at[3], id)) + 1)
  end
  local found = false
  if at[1] then found = head(id) end
  return { 'repeated', id, place, tally('processing'), found }
end

function ops.accept(id, kind, owner, context, url, origin, key, digest, request, perKey, all, keyBytes, allBytes)
  local name = P .. 'rep:' .. owner .. ':' .. key
  if key ~= '' then
    local found = call('HMGET', name, 'digest', 'kind', 'job', 'due')
    if found[1] and tonumber(found[4]) > now then
      if found[1] ~= digest or found[2] ~= 'job' then return { 'mismatch' } end
      return repeated(found[3])
    end
  end
  local wait = P .. of(kind, 'wait:') .. owner
  if call('ZCARD', wait) >= tonumber(perKey) then return { 'full', 'key' } end
  if tally(of(kind, 'pending')) >= tonumber(all) then return { 'full', 'all' } end
  forgetKept()
  local bytes = #request + #context
  local full = fullScope(owner, bytes, keyBytes, allBytes)
  if full then return { 'no-room', full } end
  if key ~= '' then
    call('DEL', name)
    call('HSET', name, 'digest', digest, 'kind', 'job', 'job', id, 'due', now + DAY)
    call('PEXPIRE', name, DAY)
  end
  local seq = call('INCR', P .. 'seq')
  set(id, 'id', id, 'kind', kind, 'owner', owner, 'context', context, 'url', url, 'origin', origin, 'key', key, 'request', request,
    'seq', seq, 'attempts', 0, 'fence', 0, 'spent', 0, 'accepted', now, 'error', '', 'answer', '', 'bytes', bytes)
  store(owner, 'jobs', bytes)
  if kind == 'chat' then call('ZADD', P .. 'list:' .. owner, seq, id) end
  enqueue(id, now)
  tell('work')
  return { 'accepted', id, position(kind, owner, call('ZCARD', wait)), tally(of(kind, 'processing')), head(id) }
end

function ops.get(id)
  if call('EXISTS', job(id)) == 0 then return false end
  return whole(id)
end

function ops.list(owner, state, limit, after)
  local top = '+inf'
  if after ~= '' then
    local at = get(after, 'owner', 'seq')
    if at[1] ~= owner then return {} end
    top = '(' .. at[2]
  end
  local found, skipped = {}, 0
  limit = tonumber(limit)
  while #found < limit do
    local ids = call('ZREVRANGEBYSCORE', P .. 'list:' .. owner, top, '-inf', 'LIMIT', skipped, BATCH)
    for _, id in ipairs(ids) do
      if #found < limit and (state == '' or get(id, 'state')[1] == state) then found[#found + 1] = head(id) end
    end
    if #ids < BATCH then break end
    skipped = skipped + BATCH
  end
  return found
end

local function remove(id)
  local at = get(id, 'owner', 'state', 'dstate', 'bytes')
  store(at[1], 'jobs', -(at[4] or 0))
  call('ZREM', P .. 'list:' .. at[1], id)
  if at[3] == 'dead' then count('dead', -1) end
  call('UNLINK', job(id))
  return at[2]
end

function ops.cancel(id, error)
  local at = get(id, 'state', 'owner', 'key')
  if at[1] == 'pending' then
    dequeue(id)
    remove(id)
    if at[3] ~= '' then call('DEL', P .. 'rep:' .. at[2] .. ':' .. at[3]) end
    return 'removed'
  end
  if at[1] ~= 'processing' then return false end
  set(id, 'url', '')
  finish(id, 'error', 'error', error)
  tell('cancelled', id)
  return 'ended'
end

-- Removes a running job as if it had never been.
local function discard(id)
  unlease(id)
  remove(id)
end

function ops.remove(id)
  local state = get(id, 'state')[1]
  if state == 'pending' then
    dequeue(id)
    remove(id)
    return 1
  end
  if state ~= 'processing' then return 0 end
  discard(id)
  tell('cancelled', id)
  return 1
end

function ops.begin(owner, key, digest, lease)
  local name = P .. 'rep:' .. owner .. ':' .. key
  local found = call('HMGET', name, 'digest', 'kind', 'answer', 'due')
  if found[1] and tonumber(found[4]) > now then
    if found[1] ~= digest or found[2] == 'job' then return { 'mismatch' } end
    if found[2] == 'running' then return { 'running' } end
    return { 'answered', found[3] }
  end
  local fence = call('INCR', P .. 'seq')
  call('DEL', name)
  call('HSET', name, 'digest', digest, 'kind', 'running', 'fence', fence, 'due', now + lease)
  call('PEXPIRE', name, DAY)
  return { 'new', fence }
end

local function owns(name, fence)
  local at = call('HMGET', name, 'kind', 'fence')
  return at[1] == 'running' and at[2] == fence
end

function ops.storeAnswer(owner, key, fence, answer, perKey, all)
  local name = P .. 'rep:' .. owner .. ':' .. key
  if not owns(name, fence) then return 0 end
  forgetKept()
  if fullScope(owner, #answer, perKey, all) then
    call('DEL', name)
    return 0
  end
  store(owner, 'answers', #answer)
  call('ZADD', P .. 'kept', now + DAY, string.format('%d:%s:%s', #answer, owner, key))
  call('HSET', name, 'kind', 'answered', 'answer', answer, 'due', now + DAY)
  call('PEXPIRE', name, DAY)
  return 1
end

function ops.forget(owner, key, fence)
  local name = P .. 'rep:' .. owner .. ':' .. key
  if not owns(name, fence) then return 0 end
  return call('DEL', name)
end

-- Earlier versions kept jobs under the name of a key. The first owner of a name gets them, a later one nothing. Answers of direct
-- requests go with the first call; nodes of an earlier version that still run may add jobs, which go with the next start.
local function adoptAnswers(name, owner)
  for _, entry in ipairs(call('ZRANGE', P .. 'kept', 0, -1)) do
    local bytes, from, key = string.match(entry, '^(%d+):([^:]*):(.*)$')
    if from == name and call('EXISTS', P .. 'rep:' .. name .. ':' .. key) == 1 then
      call('ZADD', P .. 'kept', call('ZSCORE', P .. 'kept', entry), bytes .. ':' .. owner .. ':' .. key)
      call('ZREM', P .. 'kept', entry)
      call('RENAMENX', P .. 'rep:' .. name .. ':' .. key, P .. 'rep:' .. owner .. ':' .. key)
      store(name, 'answers', -bytes)
      store(owner, 'answers', bytes)
    end
  end
end
local function adoptJob(id, name, owner)
  local at = get(id, 'seq', 'state', 'due', 'key', 'bytes')
  set(id, 'owner', owner)
  call('ZREM', P .. 'list:' .. name, id)
  call('ZADD', P .. 'list:' .. owner, at[1], id)
  store(name, 'jobs', -(at[5] or 0))
  store(owner, 'jobs', tonumber(at[5] or 0))
  if at[2] == 'pending' then
    call('ZREM', P .. 'wait:' .. name, member(at[1], id))
    call('ZADD', P .. 'wait:' .. owner, at[3], member(at[1], id))
    call('ZADD', P .. 'turns', 'NX', 0, owner)
  end
  local key = P .. 'rep:' .. name .. ':' .. at[4]
  if at[4] ~= '' and call('EXISTS', key) == 1 then call('RENAMENX', key, P .. 'rep:' .. owner .. ':' .. at[4]) end
end
function ops.adopt(name, owner)
  if call('HSETNX', P .. 'adopted', name, owner) == 1 then adoptAnswers(name, owner) end
  if call('HGET', P .. 'adopted', name) ~= owner then return 0 end
  local ids = call('ZRANGE', P .. 'list:' .. name, 0, BATCH - 1)
  for _, id in ipairs(ids) do adoptJob(id, name, owner) end
  if call('EXISTS', P .. 'wait:' .. name) == 0 then call('ZREM', P .. 'turns', name) end
  return #ids
end

function ops.counts()
  local age = 0
  -- The first job that may start; those before it wait for a retry.
  for _, id in ipairs(call('ZRANGE', P .. 'ages', 0, BATCH - 1)) do
    local at = get(id, 'due', 'accepted')
    if tonumber(at[1]) <= now then
      age = math.max(0, now - at[2])
      break
    end
  end
  local function all(state)
    local sum = 0
    for _, kind in ipairs(KINDS) do sum = sum + tally(of(kind, state)) end
    return sum
  end
  return { all('pending'), all('processing'), all('completed'), all('error'), age, tally('due'), tally('dead'),
    tally('stored-jobs'), tally('stored-answers') }
end
