-- Puts a channel on probation, or ends it, for somebody who does not own the shard.
-- KEYS  st, ill, ch
-- ARGV  channel, ailment as JSON ('' = it is well again)
-- Returns 1 when something changed.
local changed = 0
if ARGV[2] == '' then
  changed = redis.call('HDEL', KEYS[2], ARGV[1])
elseif redis.call('HEXISTS', KEYS[3], ARGV[1]) == 1 then -- only channels that have subscribed are looked after
  changed = redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[2])
end
if changed == 1 then
  redis.call('HINCRBY', KEYS[1], 'ills', 1) -- the shard's owner reads the ailments again
end
return changed
