-- Writes a base beside the one in use, for whoever holds the lock; it goes by itself unless it is taken into use.
-- A call that comes late, when it is in use already, changes nothing.
-- KEYS: document, lock, new base    ARGV: token, generation of the new base, base, index, milliseconds
if redis.call('GET', KEYS[2]) ~= ARGV[1] or redis.call('HGET', KEYS[1], 'g') == ARGV[2] then return 0 end
redis.call('HSET', KEYS[3], 'base', ARGV[3], 'index', ARGV[4])
redis.call('PEXPIRE', KEYS[3], ARGV[5])
return 1
