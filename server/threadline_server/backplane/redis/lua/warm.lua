-- Puts a document back that an object held, unless another node did.
-- KEYS: session, document, log, base, documents
-- ARGV: document, object, base or '', index, count of fields, name and value of each, entry id and turn of each
if redis.call('HGET', KEYS[1], 'cold:' .. (string.match(ARGV[1], '~.*') or '')) ~= ARGV[2] then return 0 end
local last = 5 + 2 * tonumber(ARGV[5])
for i = 6, last, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
if redis.call('HEXISTS', KEYS[2], 'g') == 1 then
  redis.call('HSET', KEYS[4], 'base', ARGV[3], 'index', ARGV[4])
end
for i = last + 1, #ARGV, 2 do redis.call('XADD', KEYS[3], ARGV[i], 't', ARGV[i + 1]) end
redis.call('SADD', KEYS[5], ARGV[1])
redis.call('HDEL', KEYS[1], 'cold:' .. (string.match(ARGV[1], '~.*') or ''))
return 1
