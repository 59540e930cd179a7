-- Registers a node on each connection, before it claims anything. If the server has lost what it knew, or may have lost the last of it,
-- nothing is granted until all nodes have told their claims again, or their leases are over.
-- ARGV after lease and id: number of the call, then the ids of all nodes that the database knows.
if isLate(tonumber(ARGV[3])) then return 0 end
local isKnown, info = pcall(redis.call, 'INFO', 'server')
local run = isKnown and string.match(info, 'run_id:(%x+)') or 'unknown'
if redis.call('HGET', STATE, 'run') ~= run then
  redis.call('HSET', STATE, 'run', run, 'since', text(nowMs), 'until', text(nowMs + LEASE_MS))
  local ids = redis.call('ZRANGE', NODES, 0, -1)
  for i = 4, #ARGV do ids[#ids + 1] = ARGV[i] end
  for _, id in ipairs(ids) do
    if id ~= ID then redis.call('SADD', AWAITED, id) end
  end
end
redis.call('ZADD', NODES, text(nowMs), ID)
return 1
