//! Threads for code that would block a scheduler's: pools of them, the jobs they run, and how a
//! fiber waits for one.
//!
//! ```text
//!   fiber                    pool                          thread
//!   job --- submit ---> | job | job | job | --- recv ---> work; update the counters; deliver
//!    |                   first come first served              |
//!   waits in an Event, or holding a ticket <---- mailbox -----+
//! ```
//!
//! Invariants:
//! - Closures and results are dropped on a fiber or on a thread of the pool, where a panic is
//!   caught, and never in a run loop or under a lock.
//! - Data that crosses to the thread is owned by the job, or the wait of the fiber that it is
//!   borrowed from does not end before the job is over: see [`scoped`].
//! - The counters of a pool are updated before any waiter is notified that a job is over. A caller
//!   that submits jobs one after the other therefore keeps one thread busy, and not two.
//!
//! No other part of this crate starts threads, except `process/orphans.rs`: a child process may run
//! forever, and would occupy a thread of a pool for as long.

mod global;
mod handle;
mod job;
mod owned;
mod pool;
mod scoped;
mod worker;

#[cfg(feature = "net")]
pub(crate) use global::names;
pub use global::{GlobalPoolError, blocking, global, uninterruptible, uninterruptible_with};
pub(crate) use global::{files, locks};
pub use handle::{JobFuture, JobHandle};
pub use owned::{Owned, OwnedBuilder, OwnedError, OwnedPool, OwnedPoolBuilder, OwnedPoolStats};
pub use pool::{ThreadPool, ThreadPoolBuilder};
pub use worker::Stats;
