//! Running calls that block on other threads: the function [`blocking`](fn@crate::blocking), thread
//! pools, handles to jobs, and values that live on threads of their own.
//!
//! A fiber that calls a database driver, compresses a file or asks the system for the address of a
//! host would stop all fibers of its thread. If a thread of a pool runs the call, only the fiber
//! that waits for it stops.
//!
//! ```
//! use std::time::Duration;
//!
//! fibra::run(|| {
//!     // Twenty calls that block for 5 ms each: not 100 ms, and the fibers of this thread go on.
//!     let calls: Vec<_> = (0..20)
//!         .map(|n| {
//!             fibra::spawn(move || {
//!                 fibra::blocking(move || {
//!                     std::thread::sleep(Duration::from_millis(5));
//!                     n * n
//!                 })
//!             })
//!         })
//!         .collect();
//!     let sum: u64 = calls.into_iter().map(|call| call.join().unwrap()).sum();
//!     assert_eq!(sum, 2470);
//! });
//! ```
//!
//! # Which call
//!
//! | call | may `f` borrow? | effect of a kill or a time limit |
//! |---|---|---|
//! | [`blocking(f)`](fn@crate::blocking), [`ThreadPool::run`] | no | the fiber leaves immediately; `f` does not begin, or runs on without it |
//! | [`uninterruptible(f)`](uninterruptible), [`ThreadPool::run_uninterruptible`] | yes | takes effect before `f` begins, or after it has ended |
//! | [`uninterruptible_with(&mut value, f)`](uninterruptible_with) | yes | the same; for values that are `!Sync` |
//! | [`Owned::call`], [`OwnedPool::call`] | no | like `blocking` |
//! | [`Owned::call_uninterruptible`] | yes | like `uninterruptible` |
//! | [`ThreadPool::spawn`] | no | in [`JobHandle::join`]: the fiber leaves, `f` runs on |
//!
//! A thread cannot be killed. So `f` either does not begin or runs to its end, and its effects may
//! occur after its fiber has gone.
//!
//! # Pools and limits
//!
//! A [`ThreadPool`] starts threads when jobs arrive, and ends threads that stay idle. It has at
//! most [`max_threads`](ThreadPoolBuilder::max_threads) threads. Further jobs wait in a queue and
//! run in the order in which they arrived.
//!
//! Four pools serve the whole process, so that no kind of job can delay another:
//!
//! - the pool of [`blocking`](fn@crate::blocking), [`uninterruptible`] and [`global`];
//! - a pool for [`fs`](crate::fs);
//! - a pool of up to 1,000 threads for waits for [locks on files](crate::fs::File::lock);
//! - a pool for looking up names (feature `net`).
//!
//! Apart from the limit of 1,000 threads, they have the settings of a new [`ThreadPoolBuilder`].
//! Those of the first pool can be [changed](ThreadPoolBuilder::build_global). To limit something
//! else, such as the connections to a database, give it a pool of its own.
//!
//! Jobs run on plain threads: inside `f` there is no current fiber, and calls that need one panic.
//! All of this module also works on plain threads. Since such a thread may block, `blocking`,
//! `uninterruptible` and `ThreadPool::run` simply call `f` there. So a job that makes such a call
//! does not wait for its own pool.
//!
//! # Values with a thread of their own
//!
//! A connection to a database is used by one call at a time, and often may not be used from several
//! threads. An [`Owned`] value has a thread: it is made there, and each call runs there, in the
//! order in which the calls were made. An [`OwnedPool`] makes several such values when calls need
//! them. The guide has [recipes](crate::guide::blocking_databases) for the usual drivers.
//!
//! # Clocks and deadlocks
//!
//! A fiber that waits for a job is never part of a deadlock, because the job will end. Jobs take
//! real time: while a fiber waits for one, a [virtual clock](crate::RuntimeBuilder::virtual_clock)
//! does not jump, and advances at the speed of real time.
//!
//! # The end of the process
//!
//! Neither `run` nor the process waits for jobs whose fibers have gone: jobs that still run when
//! `main` returns are cut off. [`ThreadPool::shutdown`] and [`Owned::close`] wait for them.

pub use crate::offload::{
    GlobalPoolError, JobFuture, JobHandle, Owned, OwnedBuilder, OwnedError, OwnedPool,
    OwnedPoolBuilder, OwnedPoolStats, Stats, ThreadPool, ThreadPoolBuilder, global,
    uninterruptible, uninterruptible_with,
};
