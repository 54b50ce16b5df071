-- Puts back the jobs of a worker that it does not know of: the answer that had them was lost.
-- KEYS: names of queues. ARGV: time, worker, `job:execution` of those that it knows

local known = {}
for i = 3, #ARGV do known[ARGV[i]] = true end
local executions = 'rq:worker:' .. ARGV[2] .. ':executions'
local reclaimed = 0
for _, key in ipairs(redis.call('SMEMBERS', executions)) do
    local id, execution = key:match('^([^:]*):(.*)$')
    if not known[key] then
        for _, queue in ipairs(KEYS) do
            if leave(queue, id, execution, ARGV[2]) then
                enqueue(queue, id, true)
                reclaimed = reclaimed + 1
            end
        end
    end
end
return reclaimed
