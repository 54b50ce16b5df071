-- Ends an execution that returned. Returns 0 if it has ended before.
-- ARGV: time, queue, id, execution, worker, start, seconds, time to live, value (or '')

local queue, id, execution, worker = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local ttl = tonumber(ARGV[8])
if not leave(queue, id, execution, worker) then return 0 end
count(worker, 'successful_job_count', ARGV[7])
local job = 'rq:job:' .. id
if ttl == 0 then
    redis.call('DEL', job)
else
    redis.call('HSET', job, 'status', 'finished', 'ended_at', iso, 'last_heartbeat', iso)
    local result = {'type', 1, 'worker_name', worker, 'execution_id', execution,
        'execution_started_at', ARGV[6], 'execution_ended_at', exact}
    if ARGV[9] ~= '' then
        result[#result + 1] = 'return_value'
        result[#result + 1] = ARGV[9]
    end
    redis.call('XADD', 'rq:results:' .. id, 'MAXLEN', 10, '*', unpack(result))
    redis.call('ZADD', 'rq:finished:' .. queue, ttl < 0 and '+inf' or now + ttl, id)
    expire('rq:results:' .. id, ttl)
    expire(job, ttl)
end
release_dependents(id)
return 1
