//! Threads for what would block a scheduler's: pools of them, the jobs they run, and how a fiber
//! waits for one.
//!
//! ```text
//!   fiber                    pool                          thread
//!   job --- submit ---> | job | job | job | --- recv ---> work; settle the books; deliver
//!    |                   first come first served              |
//!   waits in an Event, or holding a ticket <---- mailbox -----+
//! ```
//!
//! Invariants:
//! - Closures and results are dropped on a fiber or on a thread of the pool, where a panic is caught,
//!   and never in a run loop or under a lock.
//! - What crosses to the thread is owned by the job, or the wait that lent it is not left before it
//!   is back: see [`lent`].
//! - The books of a pool are settled before anybody learns that a job is over. So whoever submits jobs
//!   one after the other keeps one thread busy, and not two.
//!
//! Nothing else in this crate starts threads, but for `process/orphans.rs`: a child may live for ever, and
//! would keep a thread of a pool for as long.

mod global;
mod handle;
mod job;
mod lent;
mod pool;
mod worker;

#[cfg(feature = "net")]
pub(crate) use global::names;
pub use global::{GlobalPoolError, blocking, global, uninterruptible};
pub(crate) use global::{files, locks};
pub use handle::JobHandle;
pub use pool::{ThreadPool, ThreadPoolBuilder};
pub use worker::Stats;
