-- What every script begins with. ARGV[1] is the time as RQ writes it. Scores of registries are in
-- whole seconds, by the clock of the server.

local iso = ARGV[1]
local clock = redis.call('TIME')
local now = tonumber(clock[1])
local exact = string.format('%d.%06d', clock[1], clock[2])

-- Ends an execution. Returns false if it has ended before: if another worker found it abandoned, or
-- if this call is repeated because its answer was lost.
local function leave(queue, id, execution, worker)
    local key = id .. ':' .. execution
    if redis.call('ZREM', 'rq:wip:' .. queue, key) == 0 then return false end
    redis.call('DEL', 'rq:execution:' .. key)
    redis.call('ZREM', 'rq:executions:' .. id, execution)
    redis.call('SREM', 'rq:worker:' .. worker .. ':executions', key)
    return true
end

local function enqueue(queue, id, at_front)
    redis.call('HSET', 'rq:job:' .. id, 'status', 'queued', 'enqueued_at', iso)
    redis.call('SADD', 'rq:queues', 'rq:queue:' .. queue)
    redis.call(at_front and 'LPUSH' or 'RPUSH', 'rq:queue:' .. queue, id)
end

local function expire(key, seconds)
    if seconds < 0 then redis.call('PERSIST', key) else redis.call('EXPIRE', key, seconds) end
end

-- Adds to the statistics of a worker, unless its record has expired.
local function count(worker, field, seconds)
    local key = 'rq:worker:' .. worker
    if redis.call('EXISTS', key) == 0 then return end
    redis.call('HINCRBY', key, field, 1)
    redis.call('HINCRBYFLOAT', key, 'total_working_time', seconds)
end

-- Enqueues the jobs that have waited for this one and now wait for nothing else.
local function release_dependents(id)
    local dependents = 'rq:job:' .. id .. ':dependents'
    for _, dependent in ipairs(redis.call('SMEMBERS', dependents)) do
        local key = 'rq:job:' .. dependent
        local job = redis.call('HMGET', key, 'status', 'origin', 'allow_dependency_failures')
        local ready = job[1] == 'deferred'
        local dependencies = 'rq:job::' .. dependent .. ':dependencies' -- RQ writes both colons
        for _, other in ipairs(redis.call('SMEMBERS', dependencies)) do
            local status = redis.call('HGET', 'rq:job:' .. other, 'status')
            local ended = not status or status == 'finished'
            ready = ready and (ended or (status == 'failed' and job[3] == '1'))
        end
        if ready then
            redis.call('ZREM', 'rq:deferred:' .. job[2], dependent)
            redis.call('SREM', dependents, dependent)
            enqueue(job[2], dependent, false)
        end
    end
end

-- Repeats a job that has retries left, immediately or later, and fails it otherwise. `text` is
-- the reason as the stream of results holds it, `short` as the job does. Returns the new status.
local function fail(queue, id, text, short, result)
    local job = 'rq:job:' .. id
    local left = tonumber(redis.call('HGET', job, 'retries_left') or 0) or 0
    if left > 0 then
        local intervals = cjson.decode(redis.call('HGET', job, 'retry_intervals') or '[]')
        local wait = intervals[math.max(#intervals - left, 0) + 1] or 0
        redis.call('HSET', job, 'retries_left', left - 1)
        if wait > 0 then
            redis.call('HSET', job, 'status', 'scheduled')
            redis.call('ZADD', 'rq:scheduled:' .. queue, now + wait, id)
            return 'scheduled'
        end
        enqueue(queue, id, redis.call('HGET', job, 'enqueue_at_front_on_retry') == '1')
        return 'queued'
    end
    local ttl = tonumber(redis.call('HGET', job, 'failure_ttl') or 31536000)
    redis.call('HSET', job, 'status', 'failed', 'ended_at', iso, 'exc_info', short)
    redis.call('XADD', 'rq:results:' .. id, 'MAXLEN', 10, '*', 'type', 2, 'exc_string', text,
        'execution_ended_at', exact, unpack(result))
    redis.call('ZADD', 'rq:failed:' .. queue, ttl < 0 and -1 or now + ttl, id)
    expire('rq:results:' .. id, ttl)
    expire(job, ttl)
    release_dependents(id)
    return 'failed'
end
