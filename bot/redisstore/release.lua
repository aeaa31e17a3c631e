-- Gives a shard back.
-- KEYS  st
-- ARGV  node, epoch
-- Returns 1 when it was the node's, else 0.
local v = redis.call('HMGET', KEYS[1], 'owner', 'epoch')
if v[1] ~= ARGV[1] or v[2] ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[1], 'owner', '', 'until', '0')
return 1
