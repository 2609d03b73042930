-- A new session's record, unless there is one or a tombstone.
-- KEYS: session    ARGV: lineage, record, active in ms, checksum of the record
local there = redis.call('HMGET', KEYS[1], 'lineage', 'deleted')
if there[2] then return 'deleted' end
if there[1] then return 'there' end
redis.call('HSET', KEYS[1], 'lineage', ARGV[1], 'record', ARGV[2], 'active', ARGV[3], 'version', 1,
  'c', '1 ' .. ARGV[4])
return 'created'
