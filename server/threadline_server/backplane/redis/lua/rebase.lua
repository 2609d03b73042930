-- Takes a staged base into use and trims the log behind it, by position and never past the base. Twice is the
-- same as once. What comes to nothing leaves nothing.
-- KEYS: session, document, lock, new base, old base, log
-- ARGV: lineage, token, generation of the old base, of the new, position it covers,
--       turns kept behind it, checksum of the new base
local through, kept = tonumber(ARGV[5]), tonumber(ARGV[6])
local function undone(why)
  redis.call('UNLINK', KEYS[4])
  if redis.call('GET', KEYS[3]) == ARGV[2] then redis.call('UNLINK', KEYS[3]) end
  return why
end
local head = redis.call('HMGET', KEYS[2], 'p', 'b', 'g')
if head[3] == ARGV[4] then return 'done' end
if redis.call('HGET', KEYS[1], 'lineage') ~= ARGV[1] then return undone('lineage') end
if redis.call('GET', KEYS[3]) ~= ARGV[2] then return undone('lost') end
if (head[3] or '0') ~= ARGV[3] or redis.call('EXISTS', KEYS[4]) == 0 then return undone('lost') end
if through > tonumber(head[1] or '0') then return undone('ahead') end
if through <= tonumber(head[2] or '0') then return undone('older') end
redis.call('PERSIST', KEYS[4])
redis.call('HSET', KEYS[2], 'b', through, 'g', ARGV[4], 'c', ARGV[4] .. ' ' .. ARGV[7])
redis.call('UNLINK', KEYS[5], KEYS[3])
redis.call('XTRIM', KEYS[6], 'MINID', math.max(through - kept, 0) + 1 .. '-0')
for _, field in ipairs(redis.call('HKEYS', KEYS[2])) do
  if string.sub(field, 1, 2) == 'w:' then
    local position = tonumber(string.match(redis.call('HGET', KEYS[2], field), ' (%d+)$'))
    if position <= through - kept then redis.call('HDEL', KEYS[2], field) end
  end
end
return 'done'
