-- What a node that has ended has spent in all, instead of what it claimed. Told again it changes nothing. WINDOWS are those of that node.
-- ARGV after lease and id: the id of the node that has ended, then what it has spent in each window.
local ended = ARGV[3]
for i = 1, (#KEYS - GROUND) / 2 do
  local key, open, spent = KEYS[GROUND - 1 + i * 2], KEYS[GROUND + i * 2], tonumber(ARGV[3 + i])
  local total = redis.call('HGET', key, 'total')
  if total then
    redis.call('HSET', key, 'total', text(math.max(0, tonumber(total) + spent - number(key, 'c:' .. ended))))
    setClaim(key, ended, spent)
  else
    -- The database knows all of it.
    setClaim(key, ended, 0)
  end
  redis.call('HDEL', open, ended)
end
return 1
