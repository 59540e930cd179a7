-- Removes a node that ends. ARGV: node id.
drop(ARGV[1])
return 1
