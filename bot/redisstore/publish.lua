-- Gives numbers to issues seen for the first time, and to what was added to growing pages.
-- KEYS  head, log, seen
-- ARGV  per entry: issue key, what was known of it ('' = nothing), what is known now, entry as JSON
-- Returns the number given to each entry, 0 where another node was first.
local given = {}
for i = 1, #ARGV, 4 do
  local known = redis.call('HGET', KEYS[3], ARGV[i]) or ''
  if known == ARGV[i + 1] then
    local seq = redis.call('INCR', KEYS[1])
    redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 2])
    redis.call('HSET', KEYS[2], string.format('%.0f', seq), ARGV[i + 3])
    given[#given + 1] = seq
  else
    given[#given + 1] = 0
  end
end
return given
