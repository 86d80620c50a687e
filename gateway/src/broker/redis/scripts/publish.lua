--[[
  Appends messages to the logs of one channel or of several, in the order given, and pushes them.

  KEYS  for each channel: its log (stream) and its meta (string), then the idempotency key of each of its
        messages that has one. All in one slot. All are named: while a slot migrates, keys of it that this
        server already gave away would look like keys that never were; so it answers TRYAGAIN instead.
  ARGV  1 ms for which an idempotency key holds, then for each channel:
        its sharded pub/sub channel, in the slot of its keys
        entries to keep at least
        ms after which a log without publishes ends, or up to an eighth later
        ms for which meta is kept after a publish
        a character for each message: 1 if it has an idempotency key, else 0
        the body of each message

  Reply: for each channel the epoch of what was appended, then for each message its offset (integer), or, if
  its key was seen, the position of the first one as `<epoch>-<offset>` (bulk). In place of all that, a
  text: the error for which nothing was done for this channel; behind `HALFDONE ` an error after which it
  may be done.

  A channel's first write is an XADD, which a server that is out of memory, read-only or short of replicas
  refuses; what follows a first write is not refused. Its SPUBLISH comes last, one for all of its messages:
  nothing is delivered that is not stored.
]]
local key_ttl = ARGV[1]
local CHANNEL_ARGS = 5
local LINEAGE_LENGTH = 16
local LONGEST_LINEAGE = 1024
local SLACK = 9 / 8

local now = now_us()
local time_ms = math.floor(now / 1000)
local replid = replication_id(redis.call('INFO', 'replication'))
local call = redis.call
local is_written

-- One push of these records, as record-codec.ts has it.
local function together(records)
  if #records == 1 then return records[1] end
  local parts = { '\2' }
  for i = 1, #records do
    parts[2 * i] = struct.pack('>I4', #records[i])
    parts[2 * i + 1] = records[i]
  end
  return table.concat(parts)
end

-- Without the oldest epochs of which the log holds no entry any more. The last ones stay all the same, for those
-- who come back from before the trimming, and so does the one before the oldest entry, which may end right there.
local function trimmed(lineage, log)
  local _, commas = string.gsub(lineage, ',', '')
  local length = commas + 1
  if length <= LINEAGE_LENGTH then return lineage end
  local first = call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
  local first_epoch = first and tonumber(string.match(first[1], '^%d+')) or math.huge
  while length > LINEAGE_LENGTH do
    local rest, second = string.match(lineage, '^[^,]+,((%d+).+)$')
    if length <= LONGEST_LINEAGE and tonumber(second) >= first_epoch then break end
    lineage, length = rest, length - 1
  end
  return lineage
end

-- One channel: its keys begin at KEYS[key_at], its arguments at ARGV[arg_at].
local function append(key_at, arg_at)
  local log, meta = KEYS[key_at], KEYS[key_at + 1]
  local push, size, log_ttl = ARGV[arg_at], ARGV[arg_at + 1], tonumber(ARGV[arg_at + 2])
  local meta_ttl, flags = ARGV[arg_at + 3], ARGV[arg_at + 4]
  local body_at = arg_at + CHANNEL_ARGS - 1
  local count = #flags
  local epoch, offset, known_replid, expires_at, lineage = head_of(log, meta)

  if not epoch then
    epoch, offset, expires_at = digits(now), 0, 0
    lineage = epoch .. ':0'
  elseif known_replid ~= replid then
    -- The log may have forked: another server may have appended other entries after this head.
    epoch = digits(epoch_after(tonumber(epoch), now, replid))
    expires_at = 0
    lineage = lineage .. ',' .. epoch .. ':' .. offset
    lineage = trimmed(lineage, log)
  end

  local epoch_number = tonumber(epoch)
  local id_begin = epoch .. '-'
  local reply = { epoch_number }
  local pushes = {}
  local next_key = key_at + 2

  for i = 1, count do
    local key
    if string.byte(flags, i) == 49 then
      key = KEYS[next_key]
      next_key = next_key + 1
    end
    local first = key and call('GET', key)
    if first then
      reply[i + 1] = first
    else
      offset = offset + 1
      -- Exact below 10^14.
      local id = id_begin .. offset
      local record = struct.pack('>BI8I8I8', 1, epoch_number, offset, time_ms) .. ARGV[body_at + i]
      if i == count then
        call('XADD', log, 'MAXLEN', '~', size, id, 'r', record)
      else
        call('XADD', log, id, 'r', record)
      end
      is_written = true
      if key then call('SET', key, id, 'PX', key_ttl) end
      reply[i + 1] = offset
      pushes[#pushes + 1] = record
    end
  end

  if #pushes == 0 then
    -- A write all the same: WAIT on this connection then covers the publishes that were repeated.
    call('PEXPIRE', meta, meta_ttl)
    return reply
  end
  -- Not with every publish: it costs as much as the push.
  local remaining = expires_at - time_ms
  if remaining < log_ttl or remaining > log_ttl * SLACK then
    expires_at = time_ms + math.floor(log_ttl * SLACK)
    call('PEXPIREAT', log, digits(expires_at))
  end
  write_meta(meta, meta_ttl, epoch, offset, replid, digits(expires_at), lineage)
  call('SPUBLISH', push, together(pushes))
  return reply
end

local replies = {}
local key_at, arg_at = 1, 2
while key_at < #KEYS do
  is_written = false
  local flags = ARGV[arg_at + CHANNEL_ARGS - 1]
  local is_done, reply = pcall(append, key_at, arg_at)
  if not is_done then
    reply = type(reply) == 'table' and reply.err or tostring(reply)
    if is_written then reply = 'HALFDONE ' .. reply end
  end
  replies[#replies + 1] = reply
  local _, keys = string.gsub(flags, '1', '')
  key_at = key_at + 2 + keys
  arg_at = arg_at + CHANNEL_ARGS + #flags
end
return replies
