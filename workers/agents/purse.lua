-- What a workspace, and each person in it, may still spend today and this month. Each scope is one hash: what the rows said
-- when it was seeded, what was settled since, and its limits. What calls at work may still cost stands in one hash, each with
-- the moment at which it is forgotten if its worker does not speak again. Money in millionths of a dollar.
-- KEYS: marker, calls, then the scopes.  ARGV: what to do, then its arguments.
local marker, calls = KEYS[1], KEYS[2]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function reserved(person)
  local usd, tokens = 0, 0
  local all = redis.call('HGETALL', calls)
  for index = 1, #all, 2 do
    local one = cjson.decode(all[index + 1])
    if one.ends < now then
      redis.call('HDEL', calls, all[index])
    elseif person == '' or one.person == person then
      usd, tokens = usd + one.usd, tokens + one.tokens
    end
  end
  return usd, tokens
end

local function reserve(call, usd, tokens, person, lease_ms, is_limited)
  if is_limited == 0 and redis.call('EXISTS', marker) == 0 then return {'free'} end
  for index = 3, #KEYS do
    if redis.call('EXISTS', KEYS[index]) == 0 then return {'seed'} end
  end
  for index = 3, #KEYS do
    local scope = redis.call('HMGET', KEYS[index], 'usd', 'tokens', 'limit_usd', 'limit_tokens', 'person')
    local held_usd, held_tokens = reserved(scope[5] or '')
    local limit_usd, limit_tokens = tonumber(scope[3] or ''), tonumber(scope[4] or '')
    if limit_usd then
      if usd < 0 then return {'unpriced', index - 3} end
      local left = limit_usd - tonumber(scope[1] or 0) - held_usd
      if usd > left or left <= 0 then return {'usd', index - 3, tostring(limit_usd), tostring(left)} end
    end
    if limit_tokens then
      local left = limit_tokens - tonumber(scope[2] or 0) - held_tokens
      if tokens > left then return {'tokens', index - 3, tostring(limit_tokens), tostring(left)} end
    end
  end
  local one = {usd = math.max(0, usd), tokens = tokens, person = person, ends = now + lease_ms}
  redis.call('HSET', calls, call, cjson.encode(one))
  redis.call('EXPIRE', calls, 86400)
  return {'held'}
end

local function settle(call, usd, tokens)
  redis.call('HDEL', calls, call)
  for index = 3, #KEYS do
    if redis.call('EXISTS', KEYS[index]) == 1 then
      redis.call('HINCRBY', KEYS[index], 'usd', math.max(0, usd))
      redis.call('HINCRBY', KEYS[index], 'tokens', tokens)
    end
  end
  return {'settled'}
end

local what, call = ARGV[1], ARGV[2]
if what == 'reserve' then
  return reserve(call, tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7]))
elseif what == 'settle' then
  return settle(call, tonumber(ARGV[3]), tonumber(ARGV[4]))
end
local found = redis.call('HGET', calls, call)
if found then
  local one = cjson.decode(found)
  one.ends = now + tonumber(ARGV[3])
  redis.call('HSET', calls, call, cjson.encode(one))
end
return {'renewed'}
