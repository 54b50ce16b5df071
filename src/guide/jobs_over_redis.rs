//! Jobs over Redis: functions that another process calls later, on this machine or another one,
//! through the queues of Python's RQ. (This module contains documentation only.)
//!
//! The library has no job queue of its own. The folder `tests/crates/examples/rq` of the repository
//! has a worker and a client for RQ's queues, on the crate `redis`, as a module to copy into a
//! program. Python may stand at either end. Its README shows the first five minutes.
//!
//! # When to choose which way
//!
//! | to run | choose |
//! |---|---|
//! | many waits in one process: downloads, calls to servers | fibers: [`spawn`](crate::spawn()), [`pool`](mod@crate::pool) |
//! | computations on all cores of one machine, with their results now | [`par`](mod@crate::par) |
//! | programs in other languages, code that may crash or leak | [`process`](crate::process) |
//! | work that outlives this process, that other machines do, or Python does | jobs over Redis |
//!
//! A job over Redis costs several messages to a server, which has to be run and watched. A
//! fiber costs a microsecond, and ends with its process.
//!
//! # What is guaranteed
//!
//! - **A job that was enqueued is not lost.** When `enqueue` returns, the server has the job. From
//!   then on it is in its queue, in the registry of started jobs, or has ended with a value or a
//!   failure. One script moves it from one to the next.
//! - **A job runs at least once, if it has retries**, also if its worker is killed or its machine
//!   fails. The next worker finds it when its signs of life have stopped. A job without retries
//!   is failed then, with a text that names the reason.
//! - **One end is written down.** If two workers have run the same job, the end of the first one
//!   that was declared dead is ignored.
//!
//! All of this holds as long as the server keeps its data. Redis answers before the data is on the
//! disk unless it runs with `appendonly yes` and `appendfsync always`; with `everysec` a crash of
//! the machine loses the last second.
//!
//! # What is not guaranteed
//!
//! - **Exactly once.** A worker that stops for longer than its signs of life may (the machine is
//!   suspended, a function computes without waiting) counts as dead. Its job then runs twice, for
//!   some time at the same time. A worker that is killed between the last line of the function and
//!   the end of the job has done the work, and the job runs again.
//! - **Order.** Jobs start in the order of their queue, and end in any order. Retries come last.
//! - **Times.** A time limit ends a function where it waits, and not while it computes. Registries
//!   count whole seconds, so an interval may be up to a second shorter.
//!
//! # How to make a job idempotent
//!
//! A job is idempotent if running it twice has the effect of running it once.
//!
//! - **Name the result after the job**, and replace it: `SET total:42 17`, a file that is written
//!   under another name and renamed, `INSERT .. ON CONFLICT (job) DO NOTHING`. Do not add to what
//!   is there.
//! - **Write the effect and its mark in one transaction.** A table of the identifiers of jobs that
//!   are done, with a unique key, in the same database as the effect: the second run finds the
//!   identifier and returns.
//! - **Hand the identifier on.** Payment services and mail services take a key by which they see
//!   a request that comes again: give them the job's.
//! - **Enqueue under a name of your own** (`Job::id`): a job whose name exists is not enqueued
//!   again, so the client may repeat its call.
//! - **Divide** what cannot be repeated from what can: one job computes, and enqueues a small one
//!   that has the effect.
//!
//! # What functions should do
//!
//! They wait through this library: [`net`](crate::net), [`http`](crate::http),
//! [`sleep`](crate::sleep()), [`sync`](mod@crate::sync). Then a limit of jobs run at the same time
//! in one process, and a time limit or a kill unwinds them. A function that blocks its thread goes
//! through [`blocking`](fn@crate::blocking), and one that computes through [`par`](mod@crate::par):
//! otherwise it stops the other jobs, and the signs of life of all.
