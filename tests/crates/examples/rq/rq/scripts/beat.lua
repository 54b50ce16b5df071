-- Writes down that a worker and its jobs are alive. Returns the executions that other workers have
-- found abandoned meanwhile.
-- KEYS: names of queues. ARGV: time, worker, seconds until a job counts as abandoned, the number
-- of fields and values of the worker, these, then queue, id, execution, ...

local worker, lease, fields = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local record = 'rq:worker:' .. worker
redis.call('HSET', record, 'last_heartbeat', iso, unpack(ARGV, 5, 4 + fields))
redis.call('EXPIRE', record, lease + 60)
redis.call('EXPIRE', record .. ':executions', lease + 60)
redis.call('SADD', 'rq:workers', record)
for _, queue in ipairs(KEYS) do
    redis.call('SADD', 'rq:workers:' .. queue, record)
end
local lost = {}
for i = 5 + fields, #ARGV, 3 do
    local queue, id, execution = ARGV[i], ARGV[i + 1], ARGV[i + 2]
    local key = id .. ':' .. execution
    if redis.call('ZSCORE', 'rq:wip:' .. queue, key) then
        redis.call('ZADD', 'rq:wip:' .. queue, now + lease, key)
        redis.call('ZADD', 'rq:executions:' .. id, now + lease + 60, execution)
        redis.call('EXPIRE', 'rq:executions:' .. id, lease + 60)
        redis.call('HSET', 'rq:execution:' .. key, 'last_heartbeat', exact)
        redis.call('EXPIRE', 'rq:execution:' .. key, lease + 60)
        redis.call('HSET', 'rq:job:' .. id, 'last_heartbeat', iso)
    else
        lost[#lost + 1] = execution
    end
end
return lost
