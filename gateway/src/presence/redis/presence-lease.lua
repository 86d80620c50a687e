--[[
  Renews the lease of a gateway in one shard, and tells whose leases are over.

  KEYS  1 leases (hash): gateway -> `<ms at which it ends> <replication id>`
  ARGV  1 the gateway; '' only asks
        2 ms for which the lease holds

  Reply: 1 if what the gateway stored in this shard can be trusted, 0 if it must be stored again: there was
  no lease, it was over, or another server took over since, which may lack the last changes; then the
  gateways whose leases are over.
]]
local leases, gateway = KEYS[1], ARGV[1]
local call = redis.call
local time = call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

local over = {}
local held = false
local info = call('INFO', 'replication')
local _, before = string.find(info, 'master_replid:', 1, true)
local replid = string.sub(info, before + 1, before + 40)
local all = call('HGETALL', leases)
for at = 1, #all, 2 do
  local ends_at, known = string.match(all[at + 1], '^(%d+) (%x+)$')
  local is_over = tonumber(ends_at) <= now_ms
  if all[at] == gateway then
    held = not is_over and known == replid
  elseif is_over then
    over[#over + 1] = all[at]
  end
end
if gateway ~= '' then
  call('HSET', leases, gateway, string.format('%.0f', now_ms + ARGV[2]) .. ' ' .. replid)
end
table.insert(over, 1, held and 1 or 0)
return over
