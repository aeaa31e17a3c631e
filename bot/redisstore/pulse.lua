-- Notes that a node lives; forgets nodes that have not said so for long, and rate limits that are over.
-- KEYS  nodes, blocked
-- ARGV  node, ms after which a silent node is forgotten
-- Returns {now in ms, nodes that live, {workspace, blocked until in ms, ...}}
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - tonumber(ARGV[2])))
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now))
return {now, redis.call('ZCARD', KEYS[1]), redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '+inf', 'WITHSCORES')}
