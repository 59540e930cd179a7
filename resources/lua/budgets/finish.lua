-- What nodes that have ended have spent in all, instead of what they claimed. Told again it changes nothing.
-- ARGV after lease and id: for each window the id of the node that has ended, and what it has spent.
for i = 1, (#KEYS - 4) / 2 do
  local key, open, id, spent = KEYS[3 + i * 2], KEYS[4 + i * 2], ARGV[1 + i * 2], tonumber(ARGV[2 + i * 2])
  local total = redis.call('HGET', key, 'total')
  if total then
    redis.call('HSET', key, 'total', text(math.max(0, tonumber(total) + spent - number(key, 'c:' .. id))))
    setClaim(key, id, spent)
  else
    -- The database knows all of it.
    setClaim(key, id, 0)
  end
  redis.call('HDEL', open, id)
end
return 1
