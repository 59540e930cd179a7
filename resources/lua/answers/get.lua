-- A cached answer and for how long it is still valid, in ms. KEYS: of the answer. ARGV: its most bytes.
-- Returns both; nil if there is none, or something else under its key.
local length = redis.pcall('STRLEN', KEYS[1])
if type(length) ~= 'number' or length == 0 or length > tonumber(ARGV[1]) then return false end
return { redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1]) }
