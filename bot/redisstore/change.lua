-- Changes one channel record and the slots its subscriptions stand in.
-- KEYS  st, ch, slots, due, then one slot set per join and per leave
-- ARGV  channel, record expected ('' = none), record to write ('' = delete), joins, then per join: slot, definition, next in ms
--       ('' = never by time), upto, member; then per leave: slot, member
-- Returns {1, ''} changed (now or before), {0, record found} when the record is not the one expected.
local found = redis.call('HGET', KEYS[2], ARGV[1]) or ''
if found == ARGV[3] and found ~= ARGV[2] then
  return {1, ''}
end
if found ~= ARGV[2] then
  return {0, found}
end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[2], ARGV[1])
else
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
end
local i, key = 5, 5
for _ = 1, tonumber(ARGV[4]) do
  local slot = ARGV[i]
  redis.call('SADD', KEYS[key], ARGV[i + 4])
  redis.call('HSETNX', KEYS[3], slot, ARGV[i + 1])
  redis.call('HSETNX', KEYS[3], slot .. ':u', ARGV[i + 3])
  if ARGV[i + 2] ~= '' then
    redis.call('ZADD', KEYS[4], 'NX', ARGV[i + 2], slot)
  end
  i, key = i + 5, key + 1
end
while i <= #ARGV do
  local slot = ARGV[i]
  redis.call('SREM', KEYS[key], ARGV[i + 1])
  if redis.call('SCARD', KEYS[key]) == 0 then
    redis.call('ZREM', KEYS[4], slot)
    redis.call('HDEL', KEYS[3], slot, slot .. ':u', slot .. ':p')
  end
  i, key = i + 2, key + 1
end
redis.call('HINCRBY', KEYS[1], 'ctl', 1)
return {1, ''}
