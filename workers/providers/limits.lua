-- The rate limit of one provider key, shared by all workers. One hash of counters, and a queue that is fair between flows
-- (workspaces): a call gets the time at which its flow would be served if all flows took turns, and the lowest goes first.
-- So whoever asks much waits for its own calls, and nobody is passed more often than there are flows.
-- KEYS: counters, queue, alive, needs, flows, held, kept.  ARGV: what to do, then its arguments.
local counters, queue, alive, needs, flows, held, kept = unpack(KEYS)
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local KEEP_S = 3600

local function number(key, field, default)
  return tonumber(redis.call('HGET', key, field) or default)
end

local function forget(call)
  redis.call('ZREM', queue, call)
  redis.call('ZREM', alive, call)
  redis.call('HDEL', needs, call)
end

local function level(name, per_minute)
  -- A bucket holds ten seconds' worth: at most a sixth more than the limit passes in any minute.
  local full = math.max(1, per_minute / 6)
  local passed_ms = now - number(counters, 'at', now)
  return math.min(full, number(counters, name, full) + passed_ms * per_minute / 60000), full
end

local function acquire(call, flow, need, requests, tokens, concurrency, alive_ms, lease_ms)
  for _, dead in ipairs(redis.call('ZRANGEBYSCORE', alive, '-inf', now)) do forget(dead) end
  redis.call('ZREMRANGEBYSCORE', held, '-inf', now)
  local start = tonumber(redis.call('ZSCORE', queue, call) or '')
  if not start then
    local cost = tokens > 0 and need or 1
    start = number(kept, call, math.max(number(counters, 'turn', 0), number(flows, flow, 0)))
    if redis.call('HDEL', kept, call) == 0 then redis.call('HSET', flows, flow, start + cost) end
    redis.call('ZADD', queue, start, call)
  end
  redis.call('ZADD', alive, now + alive_ms, call)
  redis.call('HSET', needs, call, need)
  local has_requests, has_tokens, full = 1, need, need
  if requests > 0 then has_requests = level('requests', requests) end
  if tokens > 0 then has_tokens, full = level('tokens', tokens) end
  local paused_ms = math.max(0, number(counters, 'paused_until', 0) - now)
  local place = redis.call('ZRANK', queue, call)
  local has_room = concurrency == 0 or redis.call('ZCARD', held) < concurrency
  -- A call that needs more than the bucket ever holds goes when it is full, and leaves a debt.
  if place == 0 and paused_ms == 0 and has_room and has_requests >= 1 and has_tokens >= math.min(need, full) then
    forget(call)
    redis.call('ZADD', held, now + lease_ms, call)
    redis.call('HSET', counters, 'requests', has_requests - 1, 'tokens', has_tokens - need, 'at', now, 'turn', start)
    if redis.call('ZCARD', queue) == 0 then redis.call('DEL', flows) end
    for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, KEEP_S) end
    return {1, 0, 0}
  end
  if requests > 0 then redis.call('HSET', counters, 'requests', has_requests) end
  if tokens > 0 then redis.call('HSET', counters, 'tokens', has_tokens) end
  redis.call('HSET', counters, 'at', now)
  for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, KEEP_S) end
  local wait_ms = paused_ms
  if requests > 0 then wait_ms = math.max(wait_ms, (place + 1 - has_requests) * 60000 / requests) end
  if tokens > 0 then
    local wanted = math.min(need, full)
    for _, ahead in ipairs(redis.call('ZRANGE', queue, 0, math.min(place, 200) - 1)) do
      if place > 0 then wanted = wanted + number(needs, ahead, 0) end
    end
    wait_ms = math.max(wait_ms, (wanted - has_tokens) * 60000 / tokens)
  end
  return {0, math.ceil(math.max(0, wait_ms)), place}
end

local function release(call, unused)
  redis.call('ZREM', held, call)
  local has = redis.call('HGET', counters, 'tokens')
  if has and unused ~= 0 then redis.call('HSET', counters, 'tokens', tonumber(has) + unused) end
  return {0, 0, 0}
end

local function leave(call, is_kept, need)
  -- Granted, but whoever asked was cancelled before the answer came.
  if redis.call('ZSCORE', held, call) then release(call, need) end
  local start = redis.call('ZSCORE', queue, call)
  if start and is_kept == 1 then
    redis.call('HSET', kept, call, start)
    redis.call('EXPIRE', kept, KEEP_S)
  end
  forget(call)
  return {0, 0, 0}
end

local what = ARGV[1]
if what == 'acquire' then
  local n = {}
  for index = 4, 9 do n[index] = tonumber(ARGV[index]) end
  return acquire(ARGV[2], ARGV[3], n[4], n[5], n[6], n[7], n[8], n[9])
elseif what == 'release' then
  return release(ARGV[2], tonumber(ARGV[3]))
elseif what == 'renew' then
  redis.call('ZADD', held, 'XX', now + tonumber(ARGV[3]), ARGV[2])
  return {0, 0, 0}
elseif what == 'pause' then
  local until_ms = math.max(number(counters, 'paused_until', 0), now + tonumber(ARGV[2]))
  redis.call('HSET', counters, 'paused_until', until_ms)
  redis.call('EXPIRE', counters, KEEP_S)
  return {0, 0, 0}
end
return leave(ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]))
