--[[
  Reads all revocations where they have changed, and clears away those that ended.

  KEYS  1 revocations (hash), as revocations-write.lua says
  ARGV  1 the version that the caller knows; '' none

  Reply: 0 if it is still the version, else the hash: name, value, ...
]]
local revocations, known = KEYS[1], ARGV[1]

if redis.call('HGET', revocations, 'version') == known then
  return 0
end
local time = redis.call('TIME')
-- The clocks of gateways may be behind this one.
local now_ms = time[1] * 1000 - 60000
local all = redis.call('HGETALL', revocations)
local held = {}
for i = 1, #all, 2 do
  local ends = string.match(all[i + 1], '^%d+-(%d+)$')
  if ends and tonumber(ends) <= now_ms then
    -- A master that refuses writes is asked again another time.
    redis.pcall('HDEL', revocations, all[i])
  else
    held[#held + 1] = all[i]
    held[#held + 1] = all[i + 1]
  end
end
return held
