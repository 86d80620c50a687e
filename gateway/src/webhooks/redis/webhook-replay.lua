--[[
  Puts dead letters back into their queue, behind what waits there.

  KEYS  1 queue (stream of events)  2 dead letters (stream)
  ARGV  1 `replay`, or `drop` to throw them away  then the IDs of the dead letters

  Reply: how many were found.
]]
local found = 0
for i = 2, #ARGV do
  local entry = redis.call('XRANGE', KEYS[2], ARGV[i], ARGV[i])[1]
  if entry then
    if ARGV[1] == 'replay' then redis.call('XADD', KEYS[1], '*', 'e', entry[2][2]) end
    redis.call('XDEL', KEYS[2], entry[1])
    found = found + 1
  end
end
return found
