-- Ends an execution that was stopped, and puts its job to the front of the queue. Returns 0 if it
-- has ended before. ARGV: time, queue, id, execution, worker

if not leave(ARGV[2], ARGV[3], ARGV[4], ARGV[5]) then return 0 end
enqueue(ARGV[2], ARGV[3], true)
return 1
