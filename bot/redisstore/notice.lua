-- Changes one notice, unless somebody else has since it was read.
-- KEYS  notices
-- ARGV  notice, record expected, record to write
-- Returns 1 when done (now or before), 0 when the record is not the one expected.
local found = redis.call('HGET', KEYS[1], ARGV[1])
if found == ARGV[3] then
  return 1
end
if found ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
