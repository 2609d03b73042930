-- Compare-and-set of one value of the ledger; gives back 1 when it was done.
-- A value is stored behind the time at which it ends, `<until ms> <value>`, 0 for never, by Redis's clock.
-- KEYS: the kind's hash    ARGV: name, 1 when something must be there, that; 1 when something is put, that;
-- milliseconds that it lasts, 0 for ever
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local there = redis.call('HGET', KEYS[1], ARGV[1])
if there then
  local space = string.find(there, ' ', 1, true)
  local ends = tonumber(string.sub(there, 1, space - 1))
  if ends > 0 and ends <= now then there = false else there = string.sub(there, space + 1) end
end
if ARGV[2] == '1' then
  if there ~= ARGV[3] then return 0 end
elseif there then
  return 0
end
if ARGV[4] == '1' then
  local ends = 0
  if ARGV[6] ~= '0' then ends = now + tonumber(ARGV[6]) end
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', ends) .. ' ' .. ARGV[5])
else
  redis.call('HDEL', KEYS[1], ARGV[1])
end
return 1
