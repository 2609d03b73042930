-- Moves a session up to its last activity in every facet; 0 when the index does not know it.
-- KEYS: places, warm    ARGV: prefix of facets, session, active in ms
local place = redis.call('HGET', KEYS[1], ARGV[2])
if not place then return 0 end
for facet in string.gmatch(string.match(place, '\n(.*)$'), '[^\n]+') do
  redis.call('ZADD', ARGV[1] .. facet, 'XX', 'GT', ARGV[3], ARGV[2])
end
redis.call('ZADD', KEYS[2], 'GT', ARGV[3], ARGV[2])
return 1
