-- ARGV: claim, lease. Returns 1 when the claim is still held.
if not redis.call("ZSCORE", LEASES, ARGV[1]) then
  return 0
end
redis.call("ZADD", LEASES, digits(now + tonumber(ARGV[2])), ARGV[1])
return 1
