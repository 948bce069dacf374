-- ARGV: claim, then work and finished revision of every task. What is newer than that stays queued.
local claim, gone = ARGV[1], {}
for i = 2, #ARGV, 2 do
  local work = ARGV[i]
  local record = load(work)
  if record and record.batch == claim then
    gone[work] = true
    if ARGV[i + 1] >= record.revision then
      redis.call("HDEL", TASKS, work)
      redis.call("ZREM", ADDED, work)
    else
      wait(work, record, tonumber(record.due))
    end
  end
end
if next(gone) then
  let_go(claim, batch_of(claim), gone)
end
