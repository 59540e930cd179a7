-- Deletes an answer. ARGV: id, owner. Returns 0 if its owner has none.
if not isThere(ARGV[1], ARGV[2]) then return 0 end
forget(ARGV[1])
return 1
