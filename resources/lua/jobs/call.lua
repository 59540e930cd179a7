-- The one call that was asked for.
return ops[ARGV[4]](unpack(ARGV, 5))
