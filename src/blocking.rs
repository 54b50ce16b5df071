//! Calls that block their thread, made on other threads: the function [`blocking`](fn@crate::blocking)
//! and what is around it.
//!
//! A fiber that calls into a database driver, compresses a file or asks the system for the address of
//! a host would stop all fibers of its thread. On a thread of an offload pool the call stops nobody
//! but the fiber that waits for it.
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
//! | call | what runs may borrow | a kill or a time limit |
//! |---|---|---|
//! | [`blocking(f)`](fn@crate::blocking), [`Pool::run`] | no | the fiber leaves at once; `f` is not begun, or goes on without it |
//! | [`uninterruptible(f)`](uninterruptible), [`Pool::run_uninterruptible`] | yes | is met before `f` begins, or when it is back |
//! | [`Pool::spawn`] | no | of the fiber in [`JobHandle::join`]: it leaves, `f` goes on |
//!
//! A thread cannot be killed. So `f` is either not begun or runs to its end, and whatever it changes
//! outside may change after its fiber has gone.
//!
//! # Pools and limits
//!
//! A [`Pool`] starts its threads when jobs come and ends them when none do. It has
//! [`max_threads`](Builder::max_threads); jobs beyond that wait in a line, first come first served.
//! There are four for the whole process, so that none can keep another from its work: the one of
//! [`blocking`](fn@crate::blocking), of [`global`] and `uninterruptible`; one for [`fs`](crate::fs), and one of
//! up to 1,000 threads for those who wait for [locks on files](crate::fs::File::lock); and one for looking up
//! names in [`net`](crate::net). The others have the settings of a new [`Builder`]; those of the first can be
//! [changed](Builder::build_global). To limit something else, ten connections to a
//! database, say, give it a pool of its own.
//!
//! Jobs run on plain threads: inside of `f` there is no fiber, and calls that need one panic. From
//! plain threads all of this works too. `blocking`, `uninterruptible` and `Pool::run` simply call `f`
//! there, for such a thread may block; so a job that makes such a call does not wait for its own pool.
//!
//! # Clocks and deadlocks
//!
//! A fiber that waits for a job is never part of a deadlock: the job will end. Jobs take real time: while
//! one is waited for, a [virtual clock](crate::runtime::Builder::virtual_clock) does not jump, and goes on
//! as fast as real time does.
//!
//! # The end of the process
//!
//! `run` does not wait for jobs whose fibers have gone, nor does the process: what still runs when
//! `main` returns is cut short. [`Pool::shutdown`] waits.

pub use crate::offload::{
    Builder, GlobalPoolError, JobHandle, Pool, Stats, global, uninterruptible,
};
