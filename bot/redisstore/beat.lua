-- Takes or renews the lease of a shard and tells its owner what is due.
-- KEYS  st, due, slots
-- ARGV  node, ttl in ms, epoch at which the node holds the lease ('0' = not at all: a new one begins), "1" = take it from anyone (the only
--       process), most slots returned
-- Returns {0, now} when another node holds it, else
--   {1, now, epoch, commit, page, pub, ctl, order, {slot, due in ms, definition, upto, last, ...}, ills, next in ms}: when the first slot that is
--   not due yet will be, '0' = there is none
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local v = redis.call('HMGET', KEYS[1], 'owner', 'until', 'epoch', 'commit', 'page', 'pub', 'ctl', 'order', 'ills')
local owner = v[1] or ''
local epoch, mine = tonumber(v[3] or '0'), tonumber(ARGV[3])
local lost = mine > epoch -- the server has lost the end of its log, and with it that the node took the shard
if owner ~= '' and owner ~= ARGV[1] and tonumber(v[2] or '0') > now and ARGV[4] ~= '1' and not lost then
  return {0, now}
end
if lost then
  epoch = mine
elseif owner ~= ARGV[1] or mine == 0 then
  epoch = epoch + 1
end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'until', string.format('%.0f', now + tonumber(ARGV[2])), 'epoch', string.format('%.0f', epoch))
local due = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now), 'WITHSCORES', 'LIMIT', 0, tonumber(ARGV[5]))
local list = {}
for i = 1, #due, 2 do
  local s = redis.call('HMGET', KEYS[3], due[i], due[i] .. ':u', due[i] .. ':p')
  list[#list + 1] = due[i]
  list[#list + 1] = due[i + 1]
  list[#list + 1] = s[1] or ''
  list[#list + 1] = s[2] or '0'
  list[#list + 1] = s[3] or '0'
end
local next = redis.call('ZRANGEBYSCORE', KEYS[2], string.format('(%.0f', now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
return {1, now, epoch, tonumber(v[4] or '0'), tonumber(v[5] or '0'), tonumber(v[6] or '0'), tonumber(v[7] or '0'), tonumber(v[8] or '0'), list, tonumber(v[9] or '0'), next[2] or '0'}
