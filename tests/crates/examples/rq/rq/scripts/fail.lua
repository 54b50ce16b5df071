-- Ends an execution that failed. Returns the new status of the job, or '' if it has ended before.
-- ARGV: time, queue, id, execution, worker, start, seconds, text for the results, text for the job

local queue, id, execution, worker = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
if not leave(queue, id, execution, worker) then return '' end
count(worker, 'failed_job_count', ARGV[7])
return fail(queue, id, ARGV[8], ARGV[9], {'worker_name', worker, 'execution_id', execution,
    'execution_started_at', ARGV[6]})
