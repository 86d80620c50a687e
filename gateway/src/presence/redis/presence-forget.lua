--[[
  Forgets a gateway whose lease is over and that has no sessions left in this shard.

  KEYS  1 leases (hash)  2 index (set): channels on which the gateway has sessions
  ARGV  1 the gateway

  Reply: 1 if it is forgotten now.
]]
local time = redis.call('TIME')
local lease = redis.call('HGET', KEYS[1], ARGV[1])
if not lease then return 1 end
if tonumber(string.match(lease, '^%d+')) > time[1] * 1000 + math.floor(time[2] / 1000) then return 0 end
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
return redis.call('HDEL', KEYS[1], ARGV[1])
