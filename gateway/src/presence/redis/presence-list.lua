--[[
  A page of the members of a channel.

  KEYS  1 members (hash)  2 names (sorted set), as presence-update.lua has them
  ARGV  1 the member behind which the page begins; '' from the first one
        2 most members

  Reply: the revision as text ('0' if nobody is there), how many members there are, then of each on the page
  `<sessions> <member as JSON>`.
]]
local from = ARGV[1] == '' and '-' or '(' .. ARGV[1]
local reply = { redis.call('HGET', KEYS[1], 'rev') or '0', redis.call('ZCARD', KEYS[2]) }
local page = redis.call('ZRANGE', KEYS[2], from, '+', 'BYLEX', 'LIMIT', 0, ARGV[2])
for i = 1, #page do reply[i + 2] = redis.call('HGET', KEYS[1], page[i]) end
return reply
