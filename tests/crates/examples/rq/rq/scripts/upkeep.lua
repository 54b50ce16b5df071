-- Enqueues scheduled jobs that are due, and retries or fails the jobs whose workers have ended.
-- Returns the numbers of both. Any number of workers may call it: each job is found once.
-- KEYS: names of queues. ARGV: time, text for the results, text for the job

local due, abandoned = 0, 0
for _, queue in ipairs(KEYS) do
    local scheduled = 'rq:scheduled:' .. queue
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', scheduled, 0, now, 'LIMIT', 0, 1000)) do
        redis.call('ZREM', scheduled, id)
        if redis.call('EXISTS', 'rq:job:' .. id) == 1 then
            enqueue(queue, id, redis.call('HGET', 'rq:job:' .. id, 'enqueue_at_front') == '1')
            due = due + 1
        end
    end
    local started = 'rq:wip:' .. queue
    for _, key in ipairs(redis.call('ZRANGEBYSCORE', started, 0, now, 'LIMIT', 0, 1000)) do
        local id, execution = key:match('^([^:]*):(.*)$')
        local worker = redis.call('HGET', 'rq:execution:' .. key, 'worker_name') or ''
        redis.call('ZREM', started, key)
        redis.call('DEL', 'rq:execution:' .. key)
        redis.call('ZREM', 'rq:executions:' .. id, execution)
        redis.call('SREM', 'rq:worker:' .. worker .. ':executions', key)
        if redis.call('HGET', 'rq:job:' .. id, 'status') == 'started' then
            fail(queue, id, ARGV[2], ARGV[3], {'worker_name', worker, 'execution_id', execution})
            abandoned = abandoned + 1
        end
    end
    redis.call('ZREMRANGEBYSCORE', 'rq:finished:' .. queue, 0, now)
    redis.call('ZREMRANGEBYSCORE', 'rq:failed:' .. queue, 0, now)
    for _, record in ipairs(redis.call('SMEMBERS', 'rq:workers:' .. queue)) do
        if redis.call('EXISTS', record) == 0 then
            redis.call('SREM', 'rq:workers:' .. queue, record)
            redis.call('SREM', 'rq:workers', record)
        end
    end
end
return {due, abandoned}
