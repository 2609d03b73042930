-- Takes a document out of Redis that an object holds now, if it is still as it was read. Twice is the same as
-- once.
-- KEYS: session, document, log, base, documents
-- ARGV: document, position, base position, generation, object, the time in ms since which it must have been idle
local field = 'cold:' .. (string.match(ARGV[1], '~.*') or '')
if redis.call('HGET', KEYS[1], field) == ARGV[5] then return 1 end
local head = redis.call('HMGET', KEYS[2], 'p', 'b', 'g')
if head[1] ~= ARGV[2] or (head[2] or '0') ~= ARGV[3] or (head[3] or '0') ~= ARGV[4] then return 0 end
if tonumber(redis.call('HGET', KEYS[1], 'active') or ARGV[6]) >= tonumber(ARGV[6]) then return 0 end
redis.call('HSET', KEYS[1], field, ARGV[5])
redis.call('SREM', KEYS[5], ARGV[1])
redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[4])
return 1
