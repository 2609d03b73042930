-- The session's lease for `holder`, with a fence higher than any before; nothing while another has it.
-- A clock that was set must not take a lease from who renews it, nor keep it for who is gone: one that ends
-- later than it can, or ended longer ago than anybody would have left it, is given its time once more.
-- KEYS: session    ARGV: holder, milliseconds
local there = redis.call('HMGET', KEYS[1], 'lineage', 'holder', 'until')
if not there[1] then return false end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local ttl = tonumber(ARGV[2])
if there[2] and there[2] ~= ARGV[1] then
  local left = tonumber(there[3]) - now
  if left > 10 * ttl + 60000 or left < -2 * ttl - 1000 then
    redis.call('HSET', KEYS[1], 'until', now + ttl)
    return false
  end
  if left > 0 then return false end
end
local expires = now + ttl
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'until', expires)
return {redis.call('HINCRBY', KEYS[1], 'fence', 1), expires}
