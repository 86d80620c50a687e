--[[
  Puts sessions of one gateway onto a channel and takes others off, and pushes what became of the members.

  KEYS  1 members (hash): member -> `<sessions> <member as JSON>`, and `rev` -> the last revision
        2 names (sorted set, all scores 0): the members in their order, for pages
        3 own (hash): session -> member, of this gateway on this channel
        4 index (set): channels of the shard on which this gateway has sessions
        5 leases (hash): gateway -> `<ms at which it ends> <replication id>`
        6 events (stream): what webhooks tell
  ARGV  1 sharded pub/sub channel of the changes, in the slot of the keys
        2 what stands in a pushed record before its payload, after the header
        3 the channel
        4 the gateway
        5 `own`: the gateway does this itself, and must have a lease; `swept`: another one does it, and the
          lease must be over
        6 most events in the stream, about; 0: none are added
        7 whose joins and leaves are events: `member`s, each by itself, or the `channel`, by its first and last one
        8 the channel as events name it
        then for each session: the session, its member and the member as JSON; a member of '' takes it off

  Reply: the revision (0 if nothing changed), or -1 if the lease is not as it must be, and nothing was done.
  Doing it twice is as good as doing it once.
]]
local members, names, own, index, leases = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local events = KEYS[6]
local push, body, channel, gateway, by = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local max_events, whose, shown_channel = tonumber(ARGV[6]), ARGV[7], ARGV[8]
local call = redis.call
local EMPTY_MS = 3600000

local time = call('TIME')
local now_us = time[1] * 1000000 + time[2]
local now_ms = math.floor(now_us / 1000)
local lease = call('HGET', leases, gateway)
local ends_at = lease and tonumber(string.match(lease, '^%d+')) or 0
if (by == 'own') ~= (ends_at > now_ms) then return -1 end

local joined, left, counted = {}, {}, {}

-- Member as JSON, with its number of sessions.
local function shown(json, sessions)
  return string.sub(json, 1, -2) .. ',"sessions":' .. sessions .. '}'
end

local function leave(session)
  local member = call('HGET', own, session)
  if not member then return end
  call('HDEL', own, session)
  local sessions, json = string.match(call('HGET', members, member) or '', '^(%d+) (.*)$')
  if not sessions then return end
  local rest = tonumber(sessions) - 1
  if rest > 0 then
    call('HSET', members, member, rest .. ' ' .. json)
    counted[#counted + 1] = shown(json, rest)
  else
    call('HDEL', members, member)
    call('ZREM', names, member)
    left[#left + 1] = shown(json, 1)
  end
end

local function join(session, member, json)
  local known = call('HGET', own, session)
  if known == member then return end
  if known then leave(session) end
  call('HSET', own, session, member)
  local sessions, first = string.match(call('HGET', members, member) or '', '^(%d+) (.*)$')
  if sessions then
    local more = tonumber(sessions) + 1
    call('HSET', members, member, more .. ' ' .. first)
    counted[#counted + 1] = shown(first, more)
  else
    call('HSET', members, member, '1 ' .. json)
    call('ZADD', names, 0, member)
    joined[#joined + 1] = shown(json, 1)
  end
end

local before_count = call('ZCARD', names)
for at = 9, #ARGV, 3 do
  if ARGV[at + 1] == '' then leave(ARGV[at]) else join(ARGV[at], ARGV[at + 1], ARGV[at + 2]) end
end

if call('EXISTS', own) == 1 then call('SADD', index, channel) else call('SREM', index, channel) end
if #joined + #left + #counted == 0 then return 0 end

local before = tonumber(call('HGET', members, 'rev') or '0')
local rev = math.max(now_us, before + 1)
call('HSET', members, 'rev', string.format('%.0f', rev))
-- What is left of a channel without members is its revision; for as long as a list may be held against it.
if call('EXISTS', names) == 1 then call('PERSIST', members) else call('PEXPIRE', members, EMPTY_MS) end

local function list(items) return '[' .. table.concat(items, ',') .. ']' end
local change = '{"rev":' .. string.format('%.0f', rev) .. ',"prev":' .. string.format('%.0f', before)
  .. ',"joined":' .. list(joined) .. ',"left":' .. list(left) .. ',"counted":' .. list(counted) .. '}'
call('SPUBLISH', push, struct.pack('>BI8I8I8', 1, 0, 0, now_ms) .. body .. change)

local function tell(type, rest)
  local event = '{"type":"' .. type .. '","channel":' .. cjson.encode(shown_channel) .. ',"time":'
    .. string.format('%.0f', now_ms) .. rest .. '}'
  call('XADD', events, 'MAXLEN', '~', max_events, '*', 'e', event)
end
if max_events > 0 then
  if whose == 'member' then
    for i = 1, #joined do tell('member.joined', ',"member":' .. joined[i]) end
    for i = 1, #left do tell('member.left', ',"member":' .. left[i]) end
  else
    local count = call('ZCARD', names)
    if before_count == 0 and count > 0 then tell('channel.occupied', '') end
    if before_count > 0 and count == 0 then tell('channel.vacated', '') end
  end
end
return rev
