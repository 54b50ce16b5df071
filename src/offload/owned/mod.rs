//! Values that live on threads of their own: one such value, a pool of them, and how calls reach
//! them.
//!
//! ```text
//!   fiber                     crew                         thread
//!   call(f) --- submit ---> | call | call | --- recv ---> Kept: makes the value if there is none;
//!    |                      first come first served        f(&mut value); drops it if spoiled
//!   waits in an Event, or holding a ticket <---- mailbox ----+
//! ```
//!
//! A value is what a thread of a crew keeps (`offload/worker.rs`), and a call is a job
//! (`offload/job.rs`, or `offload/scoped.rs` if it borrows). An [`Owned`] is a crew of one thread
//! that never ends for lack of work; an [`OwnedPool`] is a crew of several. So both have the order,
//! the counters and the end of a thread pool.
//!
//! Invariants:
//! - A value is made, used and dropped on one thread, and no reference to it leaves that thread:
//!   it need not be `Send`.
//! - A value that a call has left in an unknown state (by a panic) is never lent again.
//!
//! Files: [`keepers`] (the side of the callers), [`kept`] (the side of a thread), then the public
//! types.

mod builder;
mod error;
mod keepers;
mod kept;
mod pool;
mod pool_builder;
mod value;

pub use builder::OwnedBuilder;
pub use error::OwnedError;
pub use pool::{OwnedPool, OwnedPoolStats};
pub use pool_builder::OwnedPoolBuilder;
pub use value::Owned;
