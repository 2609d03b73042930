-- Another record in place of the one that was read, if nobody changed it meanwhile.
-- KEYS: session    ARGV: version that was read, record, active in ms or '', checksum of the record
-- Gives the new version, or 0.
local there = redis.call('HMGET', KEYS[1], 'lineage', 'version')
if not there[1] or there[2] ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'record', ARGV[2])
if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'active', ARGV[3]) end
local version = redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.call('HSET', KEYS[1], 'c', version .. ' ' .. ARGV[4])
return version
