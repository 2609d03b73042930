-- The session's lease for `holder`, with a fence higher than any before; nothing while another has it.
-- KEYS: session    ARGV: holder, milliseconds
local there = redis.call('HMGET', KEYS[1], 'lineage', 'holder', 'until')
if not there[1] then return false end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if there[2] and there[2] ~= ARGV[1] and tonumber(there[3]) > now then return false end
local expires = now + tonumber(ARGV[2])
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'until', expires)
return {redis.call('HINCRBY', KEYS[1], 'fence', 1), expires}
