-- Texts of items, in the order of their ids; nil for an unknown one. ARGV: owner, ids.
local owner = ARGV[1]
local texts, found = {}, {}
for i = 2, #ARGV do
  local text = false
  local place = call('HGET', items(owner), ARGV[i])
  if place then
    local id, start, length = unpack(cmsgpack.unpack(place))
    if texts[id] == nil then texts[id] = isThere(id, owner) and call('HGET', at(id), 'response') end
    text = texts[id] and string.sub(texts[id], start + 1, start + length)
  end
  found[i - 1] = text
end
return found
