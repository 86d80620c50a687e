--[[
  Takes events off a queue that were sent, or puts them aside.

  KEYS  1 queue (stream of events)  2 sender (string)  3 dead letters (stream)
  ARGV  1 the gateway  2 why they are put aside; '' if they were sent  3 most dead letters kept, about
        then the IDs of the entries

  Reply: 1, or 0 if the gateway is not the sender any more, and nothing was done.
]]
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
for i = 4, #ARGV do
  local entry = redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i])[1]
  if entry then
    if ARGV[2] ~= '' then
      redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[3], '*', 'e', entry[2][2], 'why', ARGV[2], 'id', entry[1])
    end
    redis.call('XDEL', KEYS[1], entry[1])
  end
end
return 1
