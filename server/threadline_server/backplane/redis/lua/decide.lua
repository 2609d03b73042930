-- The first value that was given to a name.
-- KEYS: session, decisions    ARGV: name, value, fence or ''
local session = redis.call('HMGET', KEYS[1], 'lineage', 'fence', 'deleted')
if not session[1] then return {session[3] and 'deleted' or 'missing'} end
if ARGV[3] ~= '' and tonumber(session[2] or '0') > tonumber(ARGV[3]) then return {'fence'} end
redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[2])
return redis.call('HGET', KEYS[2], ARGV[1])
