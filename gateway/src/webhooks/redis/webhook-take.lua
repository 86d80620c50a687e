--[[
  Takes the events at the head of a queue, for the gateway that sends them.

  KEYS  1 queue (stream of events)  2 sender (string: the gateway that sends now)
  ARGV  1 the gateway  2 ms for which it is the sender  3 most events

  Reply: 0 if another gateway sends now; else the entries as XRANGE has them, and the queue stays as it is.
]]
local sender = redis.call('GET', KEYS[2])
if sender and sender ~= ARGV[1] then return 0 end
local entries = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[3])
if #entries == 0 then
  if sender then redis.call('DEL', KEYS[2]) end
else
  redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
end
return entries
