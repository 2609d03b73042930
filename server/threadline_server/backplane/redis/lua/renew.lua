-- More time for a lease that nobody else got since; with 0 milliseconds, its end.
-- KEYS: session    ARGV: fence, milliseconds
local there = redis.call('HMGET', KEYS[1], 'fence', 'holder')
if there[1] ~= ARGV[1] or not there[2] then return false end
if ARGV[2] == '0' then
  redis.call('HDEL', KEYS[1], 'holder', 'until')
  return 0
end
local time = redis.call('TIME')
local expires = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(ARGV[2])
redis.call('HSET', KEYS[1], 'until', expires)
return expires
