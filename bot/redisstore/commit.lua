-- One atomic step of a shard's owner. The same number again changes nothing.
-- KEYS  st, then every key the writes name
-- ARGV  node, epoch, number, then for each write: command, index of its key in KEYS, count of arguments, arguments. FIT without arguments is
--       no command of Redis: it writes a string once more, without the room that APPEND leaves behind it
-- Returns {0, ctl} applied, {1, ctl} applied before, {-1, epoch found} another owner, {-2, last number} a step is missing.
local v = redis.call('HMGET', KEYS[1], 'owner', 'epoch', 'commit', 'ctl')
if v[1] ~= ARGV[1] or v[2] ~= ARGV[2] then
  return {-1, tonumber(v[2] or '0')}
end
local last = tonumber(v[3] or '0')
local number = tonumber(ARGV[3])
local ctl = tonumber(v[4] or '0')
if last == number then
  redis.call('HSET', KEYS[1], 'commit', ARGV[3]) -- the same value: it gives this connection something to WAIT for
  return {1, ctl}
end
if last ~= number - 1 then
  return {-2, last}
end
local i = 4
while i <= #ARGV do
  local n, key = tonumber(ARGV[i + 2]), KEYS[tonumber(ARGV[i + 1])]
  if ARGV[i] == 'FIT' then
    local text = redis.call('GET', key)
    if text then
      redis.call('SET', key, text)
    end
  else
    redis.call(ARGV[i], key, unpack(ARGV, i + 3, i + 2 + n))
  end
  i = i + 3 + n
end
redis.call('HSET', KEYS[1], 'commit', ARGV[3])
return {0, tonumber(redis.call('HGET', KEYS[1], 'ctl') or '0')} -- a write may have raised it
