-- Runs the requested call.
return ops[ARGV[4]](unpack(ARGV, 5))
