-- One lane of the work queue; every script begins with this text.
--   TASKS     hash   work -> record {revision, due, attempts, alone, batch}; in flight, no attempts mean that a
--                    newer revision waits behind the claim
--   WAITING   zset   work -> due time          GROUPS  zset  returned group -> due time
--   LEASES    zset   claim -> end of lease     BATCHES hash  group or claim -> {works, returned, alone}
--   ADDED     zset   work -> when it was added SEQUENCE      numbers the groups
-- Times are whole microseconds of the server's clock. Revisions are 19 digits, compared as text, because a
-- number of Lua is exact only to 2^53; due times inside a record are text for the same reason.
-- Any key may be gone at any time: what is not found is not worked on.
local TASKS, WAITING, GROUPS, LEASES = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local BATCHES, ADDED, SEQUENCE = KEYS[5], KEYS[6], KEYS[7]
local FIRST = 0
local clock = redis.call("TIME")
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])

local function digits(number)
  return string.format("%.0f", number)
end

local function load(work)
  local text = redis.call("HGET", TASKS, work)
  return text and cjson.decode(text) or nil
end

local function save(work, record)
  redis.call("HSET", TASKS, work, cjson.encode(record))
end

local function wait(work, record, due)
  record.batch, record.due = "", digits(due)
  redis.call("ZADD", WAITING, record.due, work)
  save(work, record)
end

local function batch_of(id)
  local text = redis.call("HGET", BATCHES, id)
  return text and cjson.decode(text) or {works = {}}
end

-- The works that the group or claim still holds: a newer revision leaves its group by its own record alone.
local function held(id)
  local works = {}
  for _, work in ipairs(batch_of(id).works) do
    local record = load(work)
    if record and record.batch == id then
      works[#works + 1] = work
    end
  end
  return works
end

local function slice(works, from, to)
  local part = {}
  for i = from, math.min(to, #works) do
    part[#part + 1] = works[i]
  end
  return part
end

-- Put works into one group of their own.
local function group(works, due)
  local id, found = nil, {}
  for _, work in ipairs(works) do
    local record = load(work)
    if record then
      id = id or string.format("%016d", redis.call("INCR", SEQUENCE))
      record.batch = id
      save(work, record)
      found[#found + 1] = work
    end
  end
  if id then
    redis.call("HSET", BATCHES, id, cjson.encode({works = found}))
    redis.call("ZADD", GROUPS, digits(due), id)
  end
end

-- Take these works out of a claim; with its last work it ends.
local function let_go(id, batch, gone)
  local left = {}
  for _, work in ipairs(batch.works) do
    if not gone[work] then
      left[#left + 1] = work
    end
  end
  if #left == 0 then
    redis.call("HDEL", BATCHES, id)
    redis.call("ZREM", LEASES, id)
  else
    batch.works = left
    redis.call("HSET", BATCHES, id, cjson.encode(batch))
  end
end

-- How many tasks are under a lease that still runs.
local function flying()
  local count = 0
  for _, id in ipairs(redis.call("ZRANGEBYSCORE", LEASES, "(" .. digits(now), "+inf")) do
    count = count + #batch_of(id).works
  end
  return count
end
