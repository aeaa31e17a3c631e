-- One member's vote on one item: the newest counts, the same again changes nothing.
-- KEYS: votes (hash: item, blank, member → vote), ages (zset: the same → revision), sums (hash: item → net votes), rev (string).
-- ARGV: item, member (hex), vote (1, -1; 0 takes it back), most votes kept.
-- Returns 1 if something changed, else 0. Beyond the most votes the oldest ones go, and no longer count.
local function count(item, by)
  if redis.call('HINCRBY', KEYS[3], item, by) == 0 then redis.call('HDEL', KEYS[3], item) end
end
local field = ARGV[1] .. ' ' .. ARGV[2]
local old = tonumber(redis.call('HGET', KEYS[1], field) or '0')
local new = tonumber(ARGV[3])
if old == new then return 0 end
local rev = redis.call('INCR', KEYS[4])
if new == 0 then
  redis.call('HDEL', KEYS[1], field)
  redis.call('ZREM', KEYS[2], field)
else
  redis.call('HSET', KEYS[1], field, new)
  redis.call('ZADD', KEYS[2], rev, field)
end
count(ARGV[1], new - old)
local over = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[4])
if over > 0 then
  for _, gone in ipairs(redis.call('ZRANGE', KEYS[2], 0, over - 1)) do
    count(string.match(gone, '^(.*) %x+$'), -tonumber(redis.call('HGET', KEYS[1], gone) or '0'))
    redis.call('HDEL', KEYS[1], gone)
    redis.call('ZREM', KEYS[2], gone)
  end
end
return 1
