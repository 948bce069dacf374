-- ARGV: bound, delay, then work and revision of every task. Returns how many were not waiting, -1 = at the bound.
local bound, due = tonumber(ARGV[1]), now + tonumber(ARGV[2])

-- A record whose place was lost (by eviction, say) counts as unknown, so that adding it anew heals it.
local function known(work)
  local record = load(work)
  if not record then
    return nil
  end
  if record.batch == "" then
    return redis.call("ZSCORE", WAITING, work) and record or nil
  end
  local timed = redis.call("ZSCORE", LEASES, record.batch) or redis.call("ZSCORE", GROUPS, record.batch)
  return timed and redis.call("HEXISTS", BATCHES, record.batch) == 1 and record or nil
end

local records, fresh = {}, 0
for i = 3, #ARGV, 2 do
  records[i] = known(ARGV[i])
  fresh = fresh + (records[i] and 0 or 1)
end
local total = redis.call("HLEN", TASKS) + fresh
if fresh > 0 and total > bound and total - flying() > bound then
  return -1
end

local queued = 0
for i = 3, #ARGV, 2 do
  local work, revision, record = ARGV[i], ARGV[i + 1], records[i]
  if not record then
    wait(work, {revision = revision, attempts = 0, alone = 0}, due)
    redis.call("ZADD", ADDED, digits(now), work)
    queued = queued + 1
  elseif revision > record.revision then
    local in_flight = record.batch ~= "" and redis.call("ZSCORE", LEASES, record.batch)
    local newly = in_flight and record.attempts > 0
    local earliest = newly and due or math.min(due, tonumber(record.due))
    record.revision, record.attempts, record.alone = revision, 0, 0
    if newly then
      redis.call("ZADD", ADDED, digits(now), work)
      queued = queued + 1
    end
    if in_flight then
      record.due = digits(earliest)
      save(work, record)
    else
      wait(work, record, earliest)
    end
  end
end
return queued
