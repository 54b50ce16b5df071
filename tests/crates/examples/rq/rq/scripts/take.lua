-- Takes jobs from the first of the queues that have any, and starts an execution of each. In this
-- one step a job leaves its queue and enters the registry of started jobs: it is always in one.
-- KEYS: names of queues. ARGV: time, worker, seconds until a job counts as abandoned, executions

local worker, lease = ARGV[2], tonumber(ARGV[3])
local taken, next = {}, 4
local executions = 'rq:worker:' .. worker .. ':executions'
for _, queue in ipairs(KEYS) do
    while ARGV[next] do
        local id = redis.call('LPOP', 'rq:queue:' .. queue)
        if not id then break end
        local job = 'rq:job:' .. id
        if redis.call('HEXISTS', job, 'data') == 1 then
            local execution = ARGV[next]
            local key = id .. ':' .. execution
            next = next + 1
            redis.call('HSET', job, 'status', 'started', 'started_at', iso,
                'last_heartbeat', iso, 'worker_name', worker)
            redis.call('PERSIST', job)
            redis.call('HSET', 'rq:execution:' .. key, 'id', execution, 'job_id', id,
                'created_at', exact, 'last_heartbeat', exact, 'worker_name', worker)
            redis.call('EXPIRE', 'rq:execution:' .. key, lease + 60)
            redis.call('ZADD', 'rq:executions:' .. id, now + lease + 60, execution)
            redis.call('EXPIRE', 'rq:executions:' .. id, lease + 60)
            redis.call('ZADD', 'rq:wip:' .. queue, now + lease, key)
            redis.call('SADD', executions, key)
            local fields = redis.call('HMGET', job, 'data', 'timeout', 'result_ttl')
            taken[#taken + 1] = {queue, id, execution, exact,
                fields[1], fields[2] or '', fields[3] or ''}
        end
    end
end
if #taken > 0 then redis.call('EXPIRE', executions, lease + 60) end
return taken
