-- ARGV: limit, lease, id of the new claim. Returns work, revision, attempts, attempts alone of each claimed task.
local limit, lease, claim = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]

-- The tasks of a lease that is over return in halves, before everything else.
local function return_lost()
  for _, id in ipairs(redis.call("ZRANGEBYSCORE", LEASES, "-inf", digits(now))) do
    local left = {}
    for _, work in ipairs(held(id)) do
      local record = load(work)
      if record.attempts == 0 then
        wait(work, record, tonumber(record.due))
      else
        left[#left + 1] = work
      end
    end
    redis.call("HDEL", BATCHES, id)
    redis.call("ZREM", LEASES, id)
    local half = math.ceil(#left / 2)
    group(slice(left, 1, half), FIRST)
    group(slice(left, half + 1, #left), FIRST)
  end
end

local function take_group()
  while true do
    local first = redis.call("ZRANGEBYSCORE", GROUPS, "-inf", digits(now), "WITHSCORES", "LIMIT", 0, 1)
    if #first == 0 then
      return {}
    end
    local id, due = first[1], tonumber(first[2])
    local ordinary = redis.call("ZRANGEBYSCORE", WAITING, "-inf", "(" .. digits(due), "LIMIT", 0, 1)
    if #ordinary > 0 then
      return {}
    end
    local works = held(id)
    redis.call("HDEL", BATCHES, id)
    redis.call("ZREM", GROUPS, id)
    if #works > 0 then
      group(slice(works, limit + 1, #works), due)
      return slice(works, 1, limit)
    end
  end
end

local function answer(works)
  local reply = {}
  for _, work in ipairs(works) do
    local record = load(work)
    if record then
      for _, value in ipairs({work, record.revision, record.attempts, record.alone}) do
        reply[#reply + 1] = value
      end
    end
  end
  return reply
end

-- Asked again because the answer was lost on its way: the same claim, not a second one.
if redis.call("HEXISTS", BATCHES, claim) == 1 then
  return answer(held(claim))
end

return_lost()
local works = take_group()
local returned = #works > 0
if not returned then
  works = redis.call("ZRANGEBYSCORE", WAITING, "-inf", digits(now), "LIMIT", 0, limit)
end
local alone = returned and #works == 1

local taken = {}
for _, work in ipairs(works) do
  redis.call("ZREM", WAITING, work)
  local record = load(work)
  if record and (returned or record.batch == "") then
    record.attempts = record.attempts + 1
    record.alone = record.alone + (alone and 1 or 0)
    record.batch = claim
    save(work, record)
    taken[#taken + 1] = work
  end
end
if #taken > 0 then
  redis.call("HSET", BATCHES, claim, cjson.encode({works = taken, returned = returned, alone = alone}))
  redis.call("ZADD", LEASES, digits(now + lease), claim)
end
return answer(taken)
