--[[
  Appends messages to the log of one channel, in the order given, and pushes them: all, or none.

  KEYS  1 log (stream)   2 meta (string)   then the idempotency key of each message that has one.
        All in one slot. All are named: while a slot migrates, keys of it that this server already
        gave away would look like keys that never were; so it answers TRYAGAIN instead.
  ARGV  1 sharded pub/sub channel, in the slot of the keys
        2 entries to keep at least
        3 ms after which a log without publishes ends, or up to an eighth later
        4 ms for which meta is kept after a publish
        5 ms for which an idempotency key holds
        then two for each message: body, and 1 if it has an idempotency key, else 0

  Reply: the epoch of what was appended, then for each message its offset (integer), or, if its key
  was seen, the position of the first one as `<epoch>-<offset>` (bulk).

  The first write is an XADD, which a server that is out of memory, read-only or short of replicas
  refuses; what follows a first write is not refused. SPUBLISH comes last: nothing is delivered that
  is not stored.
]]
local log, meta = KEYS[1], KEYS[2]
local push, size, log_ttl, meta_ttl, key_ttl = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local FIRST_MESSAGE, FIRST_KEY = 6, 3
local LINEAGE_LENGTH = 16
local SLACK = 9 / 8

if #ARGV < FIRST_MESSAGE + 1 or (#ARGV - FIRST_MESSAGE) % 2 == 0 then
  return redis.error_reply('ERR publish: messages come as pairs of body and flag')
end

local now = now_us()
local replid = replication_id(redis.call('INFO', 'replication'))
local epoch, offset, known_replid, expires_at, lineage = head_of(log, meta)

if not epoch then
  epoch, offset, expires_at = digits(now), 0, 0
  lineage = epoch .. ':0'
elseif known_replid ~= replid then
  -- The log may have forked: another server may have appended other entries after this head.
  epoch = digits(epoch_after(tonumber(epoch), now, replid))
  expires_at = 0
  lineage = lineage .. ',' .. epoch .. ':' .. digits(offset)
  local _, commas = string.gsub(lineage, ',', '')
  for _ = LINEAGE_LENGTH, commas do
    lineage = string.gsub(lineage, '^[^,]*,', '')
  end
end

local epoch_number = tonumber(epoch)
local time_ms = math.floor(now / 1000)
local reply = { epoch_number }
local pushes = {}
local next_key = FIRST_KEY

for i = FIRST_MESSAGE, #ARGV, 2 do
  local key
  if ARGV[i + 1] == '1' then
    key = KEYS[next_key]
    next_key = next_key + 1
  end
  local first = key and redis.call('GET', key)
  if first then
    reply[#reply + 1] = first
  else
    offset = offset + 1
    local id = epoch .. '-' .. digits(offset)
    local record = struct.pack('>BI8I8I8', 1, epoch_number, offset, time_ms) .. ARGV[i]
    redis.call('XADD', log, 'MAXLEN', '~', size, id, 'r', record)
    if key then redis.call('SET', key, id, 'PX', key_ttl) end
    reply[#reply + 1] = offset
    pushes[#pushes + 1] = record
  end
end

if #pushes == 0 then
  -- A write all the same: WAIT on this connection then covers the publishes that were repeated.
  redis.call('PEXPIRE', meta, meta_ttl)
  return reply
end
-- Not with every publish: it costs as much as the push.
local remaining = expires_at - time_ms
if remaining < log_ttl or remaining > log_ttl * SLACK then
  expires_at = time_ms + math.floor(log_ttl * SLACK)
  redis.call('PEXPIREAT', log, digits(expires_at))
end
write_meta(meta, meta_ttl, epoch, digits(offset), replid, digits(expires_at), lineage)
for i = 1, #pushes do
  redis.call('SPUBLISH', push, pushes[i])
end
return reply
