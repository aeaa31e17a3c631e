-- Changes one broadcast, gives one order, or both.
-- KEYS  broadcasts, due, number of the last order, orders
-- ARGV  broadcast ('' = none), record expected ('' = new), record to write, when it is due in ms ('' = never),
--       number of the last order expected, order to give ('' = none)
-- Returns 1 when done (now or before), 0 when the record or the number is not the one expected.
local found = ''
if ARGV[1] ~= '' then
  found = redis.call('HGET', KEYS[1], ARGV[1]) or ''
  if found == ARGV[3] and found ~= ARGV[2] then
    return 1
  end
  if found ~= ARGV[2] then
    return 0
  end
end
if ARGV[6] ~= '' then
  local last = tonumber(redis.call('GET', KEYS[3]) or '0')
  if string.format('%.0f', last) ~= ARGV[5] then
    return 0
  end
  local number = string.format('%.0f', last + 1)
  redis.call('SET', KEYS[3], number)
  redis.call('HSET', KEYS[4], number, ARGV[6])
  redis.call('HDEL', KEYS[4], string.format('%.0f', last - 9999))
end
if ARGV[1] ~= '' then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
  if ARGV[4] == '' then
    redis.call('ZREM', KEYS[2], ARGV[1])
  else
    redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1])
  end
end
return 1
