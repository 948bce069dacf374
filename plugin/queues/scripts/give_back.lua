-- ARGV: claim, "counted" or "forgiven", delay, then the work of every task.
local claim, counted, delay = ARGV[1], ARGV[2] == "counted", tonumber(ARGV[3])
local batch, due = batch_of(ARGV[1]), now + tonumber(ARGV[3])
local gone, together = {}, {}
for i = 4, #ARGV do
  local work = ARGV[i]
  local record = load(work)
  if record and record.batch == claim and not gone[work] then
    gone[work] = true
    local own = tonumber(record.due)
    if record.attempts == 0 then
      wait(work, record, delay > 0 and math.max(own, due) or own)
    elseif counted then
      record.due = digits(due)
      save(work, record)
      group({work}, due)
    else
      record.attempts = record.attempts - 1
      record.alone = record.alone - (batch.alone and 1 or 0)
      record.due = delay > 0 and digits(due) or record.due
      if batch.returned then
        save(work, record)
        together[#together + 1] = work
      else
        wait(work, record, tonumber(record.due))
      end
    end
  end
end
if next(gone) then
  let_go(claim, batch, gone)
end
group(together, delay > 0 and due or FIRST)
