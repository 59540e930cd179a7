-- Stores an answer in place of an earlier one. KEYS: of the answer. ARGV: the answer, for how many ms.
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return true
