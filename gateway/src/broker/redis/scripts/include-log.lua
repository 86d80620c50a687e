--[[
  Stands before the text of each script: the head of a log, and its epochs.
  Names no key of its own.
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
local function replication_id()
  return string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
end

-- The time in us; where that is not larger than the epoch before, a number above that one which two
-- servers that go on from the same log do not share.
local function epoch_after(epoch, now, replid)
  if now > epoch then return now end
  return epoch + 1 + tonumber(string.sub(replid, 1, 5), 16)
end

-- Epoch, offset, lineage and replication id of the last publish, as meta tells them. Where meta is gone
-- the log tells all but the last: its last entry, and where that one's epoch begins. Nothing if there
-- is neither.
local function head_of(log, meta)
  local known = redis.call('HMGET', meta, 'epoch', 'offset', 'lineage', 'replid')
  if known[1] and known[2] and known[3] then
    return tonumber(known[1]), tonumber(known[2]), known[3], known[4]
  end
  local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  if not last then return nil end
  local epoch, offset = string.match(last[1], '^(%d+)-(%d+)$')
  local first = redis.call('XRANGE', log, epoch, epoch, 'COUNT', 1)[1]
  local base = tonumber(string.match(first[1], '-(%d+)$')) - 1
  return tonumber(epoch), tonumber(offset), epoch .. ':' .. digits(base)
end

