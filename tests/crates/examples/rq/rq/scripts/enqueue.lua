-- Enqueues or schedules a new job. Returns 0 if there is a job with that name: so a call may be
-- repeated if its answer was lost.
-- ARGV: time, queue, id, seconds until it is due (or ''), field, value, ...

local queue, id, delay = ARGV[2], ARGV[3], tonumber(ARGV[4])
local job = 'rq:job:' .. id
if redis.call('EXISTS', job) == 1 then return 0 end
for i = 5, #ARGV, 2 do
    redis.call('HSET', job, ARGV[i], ARGV[i + 1])
end
if delay then
    redis.call('HSET', job, 'status', 'scheduled')
    redis.call('SADD', 'rq:queues', 'rq:queue:' .. queue)
    redis.call('ZADD', 'rq:scheduled:' .. queue, now + math.ceil(delay), id)
else
    enqueue(queue, id, false)
end
return 1
