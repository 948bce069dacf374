-- Returns waiting, in flight, age of the oldest task in microseconds; a task whose lease is over counts as waiting.
local in_flight = flying()
local oldest = redis.call("ZRANGE", ADDED, 0, 0, "WITHSCORES")
local age = oldest[2] and now - tonumber(oldest[2]) or 0
return {math.max(redis.call("HLEN", TASKS) - in_flight, 0), in_flight, math.max(age, 0)}
