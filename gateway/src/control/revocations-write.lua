--[[
  Keeps revocations; of what is there already, the later times hold.

  KEYS  1 revocations (hash): `user <user>` or `token <jti>` -> `<at ms>-<until ms>`; `version` -> a text of its own
          for each change
  ARGV  1 the new version
        then for each: its name, ms at which it was made, ms at which it ends

  Reply: 1
]]
local revocations, version = KEYS[1], ARGV[1]
local call = redis.call

for i = 2, #ARGV, 3 do
  local name, at, ends = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local known = call('HGET', revocations, name)
  if known then
    local known_at, known_ends = string.match(known, '^(%d+)-(%d+)$')
    at = math.max(at, tonumber(known_at))
    ends = math.max(ends, tonumber(known_ends))
  end
  call('HSET', revocations, name, string.format('%.0f-%.0f', at, ends))
end
call('HSET', revocations, 'version', version)
return 1
