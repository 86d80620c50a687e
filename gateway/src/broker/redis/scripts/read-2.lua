--[[
  One view of a log: head, lineage and a page of entries. Gives the log its identity (a first epoch,
  offset 0) where the channel has neither meta nor log.

  KEYS  1 log (stream)   2 meta (string); in one slot
  ARGV  1 ms for which a new meta is kept; 0: write none, the epoch told is nobody's then
        2 ms for which a meta that was published to is kept, to renew it; 0: do not renew
        3 most entries of the page
        4 most bytes of the page; one entry is returned if there is one
        5 range: `after`, `before`, `last` or `since`
        6 stream ID (`after`, `before`) or time in ms (`since`)

  Reply: epoch, offset, lineage (`epoch:base,...`, oldest first), whether the log holds more entries in
  the direction of the range (0 or 1), replication id, role, then the records of the page, oldest first.

  Writes nothing else, so that it works where writes are refused. `since` takes entry times as
  growing; it probes about 100 entries at most, however long the log.
]]
local log, meta = KEYS[1], KEYS[2]
local new_ttl, renew_ttl, limit, max_bytes = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local range, at = ARGV[5], ARGV[6]
local FIRST_CHUNK, LARGEST_CHUNK = 16, 256
local TIME_AT = 18 -- in a record: version, epoch and offset come before

local function entry_from(id)
  return redis.call('XRANGE', log, id, '+', 'COUNT', 1)[1]
end

local function ends_before(id, time)
  local entry = entry_from(id)
  return entry and struct.unpack('>I8', entry[2][2], TIME_AT) < time
end

-- The smallest n in (low, high] from whose ID on all entries are at or after the time; that of `low`
-- is known not to be one, that of `high` to be one.
local function bisect(low, high, time, id_of)
  while high - low > 1 do
    local middle = math.floor((low + high) / 2)
    if ends_before(id_of(middle), time) then low = middle else high = middle end
  end
  return high
end

local function first_id_since(time, head_epoch)
  if not ends_before('-', time) then return '-' end
  local first_epoch = tonumber(string.match(entry_from('-')[1], '^%d+'))
  local border = bisect(first_epoch, head_epoch + 1, time, digits)
  local epoch = digits(border - 1)
  local last = redis.call('XREVRANGE', log, epoch, epoch, 'COUNT', 1)[1]
  local last_offset = tonumber(string.match(last[1], '%d+$'))
  local function id_of(offset) return epoch .. '-' .. digits(offset) end
  return id_of(bisect(0, last_offset + 1, time, id_of))
end

-- Entries of the range, from its near end on, and whether there are more.
local function page(command, from, to)
  local records, bytes, chunk = {}, 0, FIRST_CHUNK
  while true do
    local count = math.min(chunk, limit - #records + 1)
    local entries = redis.call(command, log, from, to, 'COUNT', count)
    for i = 1, #entries do
      local record = entries[i][2][2]
      bytes = bytes + #record
      if #records == limit or (#records > 0 and bytes > max_bytes) then return records, 1 end
      records[#records + 1] = record
    end
    if #entries < count then return records, 0 end
    from = '(' .. entries[#entries][1]
    chunk = math.min(chunk * 2, LARGEST_CHUNK)
  end
end

local function reversed(list)
  local result = {}
  for i = #list, 1, -1 do result[#result + 1] = list[i] end
  return result
end

local info = redis.call('INFO', 'replication')
local replid = replication_id(info)
local role = string.match(info, 'role:(%a+)')
local epoch, offset, _, _, lineage = head_of(log, meta)
if not epoch then
  epoch, offset = digits(now_us()), 0
  lineage = epoch .. ':0'
  if new_ttl ~= '0' then write_meta(meta, new_ttl, epoch, 0, replid, 0, lineage) end
end
if renew_ttl ~= '0' and role == 'master' then
  -- A server that refuses writes now (MISCONF, NOREPLICAS) can be read all the same.
  redis.pcall('PEXPIRE', meta, offset == 0 and new_ttl or renew_ttl, 'GT')
end

local records, more
if range == 'before' and at == '0-0' then
  records, more = {}, 0 -- Redis takes "before the first possible ID" for a mistake
elseif range == 'after' then
  records, more = page('XRANGE', '(' .. at, '+')
elseif range == 'since' then
  records, more = page('XRANGE', first_id_since(tonumber(at), tonumber(epoch)), '+')
else
  records, more = page('XREVRANGE', range == 'before' and '(' .. at or '+', '-')
  records = reversed(records)
end

local reply = { tonumber(epoch), offset, lineage, more, replid, role }
for i = 1, #records do reply[#reply + 1] = records[i] end
return reply
