-- A tombstone in place of everything that the session has in this slot. Twice is the same as once.
-- KEYS: session, documents of the session, decisions, blobs    ARGV: channel, prefix of the session's keys
local lineage = redis.call('HGET', KEYS[1], 'lineage')
if not lineage then return 0 end
for _, document in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  local generation = redis.call('HGET', ARGV[2] .. 'doc:' .. document, 'g') or '0'
  redis.call('UNLINK', ARGV[2] .. 'doc:' .. document, ARGV[2] .. 'log:' .. document,
    ARGV[2] .. 'lock:' .. document, ARGV[2] .. 'base:' .. document .. ':' .. generation)
end
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
redis.call('HSET', KEYS[1], 'deleted', lineage)
redis.call('SPUBLISH', ARGV[1], 'D')
return 1
