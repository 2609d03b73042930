-- Walks the shortest of some facets from a mark, newest first, and keeps what stands in all of them.
-- KEYS: facets    ARGV: active of the mark, session of the mark, lowest active, how many to find, to examine
-- Gives {ended, active and session of the last examined, session active session active ...}
local mark_active, mark_session = tonumber(ARGV[1]), ARGV[2]
local lowest, wanted, examine = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local walked, shortest = KEYS[1], redis.call('ZCARD', KEYS[1])
for i = 2, #KEYS do
  local length = redis.call('ZCARD', KEYS[i])
  if length < shortest then walked, shortest = KEYS[i], length end
end
-- Where the mark is: the first rank whose (active, session) is lower.
local low, high = 0, shortest
while low < high do
  local middle = math.floor((low + high) / 2)
  local there = redis.call('ZREVRANGE', walked, middle, middle, 'WITHSCORES')
  local active = tonumber(there[2])
  if active < mark_active or (active == mark_active and there[1] < mark_session) then
    high = middle
  else
    low = middle + 1
  end
end
local found, examined = {}, 0
while low < shortest do
  local step = redis.call('ZREVRANGE', walked, low, low + 99, 'WITHSCORES')
  for i = 1, #step, 2 do
    local session, active = step[i], step[i + 1]
    if tonumber(active) < lowest then return {1, '0', '', unpack(found)} end
    if #found >= 2 * wanted or examined >= examine then
      return {0, mark_active, mark_session, unpack(found)}
    end
    mark_active, mark_session, examined = active, session, examined + 1
    local everywhere = true
    for k = 1, #KEYS do
      if KEYS[k] ~= walked and not redis.call('ZSCORE', KEYS[k], session) then
        everywhere = false
        break
      end
    end
    if everywhere then
      found[#found + 1] = session
      found[#found + 1] = active
    end
  end
  low = low + 100
end
return {1, '0', '', unpack(found)}
