-- Reserves the next posts of a budget that all nodes share (GCRA): each post has its own moment, a gap after the one before.
-- KEYS  budget
-- ARGV  gap in µs, posts wanted, how far ahead moments are given in µs, how far back unused ones are in µs
-- Returns {posts reserved, µs until the first of them (below 0: since)}, or {0, µs after which to ask again}.
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000000 + tonumber(t[2])
local gap, ahead, late = tonumber(ARGV[1]), tonumber(ARGV[3]), tonumber(ARGV[4])
local free = math.max(now - late, tonumber(redis.call('GET', KEYS[1]) or '0'))
local n = math.min(tonumber(ARGV[2]), math.floor((now + ahead - free) / gap) + 1)
if n < 1 then
  return {0, free - now - ahead}
end
redis.call('SET', KEYS[1], string.format('%.0f', free + n * gap), 'PX', math.ceil((ahead + (n + 1) * gap + late) / 1000))
return {n, free - now}
