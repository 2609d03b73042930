-- Where a session stands in its part of the catalogue's index: the facets given, no other.
-- KEYS: places, warm    ARGV: prefix of facets, session, version or '' to take it out, active in ms, facets ...
local place = redis.call('HGET', KEYS[1], ARGV[2])
local before = {}
if place then
  local version, facets = string.match(place, '^(%d+)\n(.*)$')
  if ARGV[3] ~= '' and tonumber(version) > tonumber(ARGV[3]) then return 0 end
  for facet in string.gmatch(facets, '[^\n]+') do before[facet] = true end
end
for i = 5, #ARGV do
  redis.call('ZADD', ARGV[1] .. ARGV[i], ARGV[4], ARGV[2])
  before[ARGV[i]] = nil
end
for facet in pairs(before) do redis.call('ZREM', ARGV[1] .. facet, ARGV[2]) end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[2])
  redis.call('ZREM', KEYS[2], ARGV[2])
else
  if not place then redis.call('ZADD', KEYS[2], ARGV[4], ARGV[2]) end
  redis.call('HSET', KEYS[1], ARGV[2], ARGV[3] .. '\n' .. table.concat(ARGV, '\n', 5))
end
return 1
