--[[
  Stands before the text of each script: the head of a log, and its epochs.
  Names no key of its own.

  Meta is one string, because every publish reads and writes it:
  `<epoch> <offset> <replication id> <ms at which the log expires> <lineage>`,
  lineage = `<epoch>:<base offset>,...`, oldest first. The replication id is that of the last publish.
]]

-- Numbers are doubles, exact below 2^53; tostring() would round an epoch to 14 digits.
local function digits(number)
  return string.format('%.0f', number)
end

local function now_us()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- Changes with every promotion and restart of the server, and from server to server.
local function replication_id(info)
  local _, before = string.find(info, 'master_replid:', 1, true)
  return string.sub(info, before + 1, before + 40)
end

-- The time in us; where that is not larger than the epoch before, a number above that one which two
-- servers that go on from the same log do not share.
local function epoch_after(epoch, now, replid)
  if now > epoch then return now end
  return epoch + 1 + tonumber(string.sub(replid, 1, 5), 16)
end

local function write_meta(meta, ttl, epoch, offset, replid, expires_at, lineage)
  redis.call('SET', meta, epoch .. ' ' .. offset .. ' ' .. replid .. ' ' .. expires_at .. ' ' .. lineage, 'PX', ttl)
end

-- Epoch (digits), offset (number), replication id, expires_at and lineage, as meta tells them. Where
-- meta is gone, the log tells: its last entry, and where that one's epoch begins; the replication id is
-- '' then. Nothing if there is neither.
local function head_of(log, meta)
  local known = redis.call('GET', meta)
  if known then
    local epoch, offset, replid, expires_at, lineage = string.match(known, '^(%d+) (%d+) (%x+) (%d+) (.+)$')
    if epoch then return epoch, tonumber(offset), replid, tonumber(expires_at), lineage end
  end
  local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  if not last then return nil end
  local epoch, offset = string.match(last[1], '^(%d+)-(%d+)$')
  local first = redis.call('XRANGE', log, epoch, epoch, 'COUNT', 1)[1]
  local base = tonumber(string.match(first[1], '-(%d+)$')) - 1
  return epoch, tonumber(offset), '', 0, epoch .. ':' .. digits(base)
end

