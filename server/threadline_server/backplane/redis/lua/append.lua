-- One turn of one document into its log: checked, stored and announced, or refused, as one step.
-- KEYS: session, document, log, documents of the session
-- ARGV: channel, document, lineage, fence or '', writer's mark, digest, at in ms or '', turn,
--       then client start end ...
-- Gives the position, or {why, ...}.
local STEP = 3000 -- arguments that one call may unpack
local session = redis.call('HMGET', KEYS[1], 'lineage', 'fence')
if session[1] ~= ARGV[3] then return {'lineage'} end
local head = redis.call('HMGET', KEYS[2], 'p', ARGV[5])
local digest = ARGV[6]
if head[2] and string.sub(head[2], 1, #digest) == digest then
  return tonumber(string.sub(head[2], #digest + 2))
end
if ARGV[4] ~= '' and tonumber(session[2] or '0') > tonumber(ARGV[4]) then return {'fence'} end
if not head[1] then
  local cold = 'cold:' .. (string.match(ARGV[2], '~.*') or '')
  if redis.call('HEXISTS', KEYS[1], cold) == 1 then return {'cold'} end
end
for from = 9, #ARGV, STEP do
  local clients = {}
  for i = from, math.min(from + STEP - 1, #ARGV), 3 do clients[#clients + 1] = ARGV[i] end
  for n, known in ipairs(redis.call('HMGET', KEYS[2], unpack(clients))) do
    local start = ARGV[from + 3 * n - 2]
    if (known or '0') ~= start then return {'stale', clients[n], known or '0', start} end
  end
end
local position = tonumber(head[1] or '0') + 1
redis.call('XADD', KEYS[3], position .. '-0', 't', ARGV[8])
local fields = {'p', position, ARGV[5], digest .. ' ' .. position}
for i = 9, #ARGV, 3 do
  fields[#fields + 1] = ARGV[i]
  fields[#fields + 1] = ARGV[i + 2]
  if #fields >= STEP then
    redis.call('HSET', KEYS[2], unpack(fields))
    fields = {'p', position}
  end
end
redis.call('HSET', KEYS[2], unpack(fields))
if ARGV[7] ~= '' then redis.call('HSET', KEYS[1], 'active', ARGV[7]) end
if position == 1 then redis.call('SADD', KEYS[4], ARGV[2]) end
redis.call('SPUBLISH', ARGV[1], 'T ' .. ARGV[2] .. ' ' .. position .. ' ' .. ARGV[8])
return position
