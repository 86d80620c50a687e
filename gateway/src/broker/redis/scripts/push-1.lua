--[[
  Pushes one message to whoever is subscribed, unless its idempotency key was seen.

  KEYS  1 idempotency key
  ARGV  1 sharded pub/sub channel, in the slot of the key
        2 ms for which the key holds
        3 record

  Reply: 1 if it was pushed, 0 if the key was seen.
]]
if not redis.call('SET', KEYS[1], '0-0', 'NX', 'PX', ARGV[2]) then return 0 end
redis.call('SPUBLISH', ARGV[1], ARGV[3])
return 1
