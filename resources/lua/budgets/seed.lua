-- What the database knows of windows that are not known here. A node has spent at least what it has stored; what it claims may be more.
-- ARGV after lease and id: for each window: spent by nodes that are not known apart, adjusted upwards and downwards (in addition), ms at
-- which the window is forgotten, number of nodes, then id and stored of each.
local at = 3
for i = 1, (#KEYS - GROUND) / 2 do
  local key = KEYS[GROUND - 1 + i * 2]
  local base, plus, minus = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local forgetMs, count = ARGV[at + 3], tonumber(ARGV[at + 4])
  if redis.call('HEXISTS', key, 'total') == 0 then
    for n = 1, count do
      local id, stored = ARGV[at + 3 + n * 2], tonumber(ARGV[at + 4 + n * 2])
      if stored > number(key, 'c:' .. id) then setClaim(key, id, stored) end
    end
    local total, all = base + plus - minus, redis.call('HGETALL', key)
    for n = 1, #all, 2 do
      if string.sub(all[n], 1, 2) == 'c:' then total = total + tonumber(all[n + 1]) end
    end
    redis.call('HSET', key, 'base', text(base), 'plus', text(plus), 'minus', text(minus), 'total', text(math.max(0, total)))
    redis.call('PEXPIREAT', key, forgetMs)
  end
  at = at + 5 + count * 2
end
return 1
