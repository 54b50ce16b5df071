//! Running many fibers: with a limit, as a group, in the order of their ends, again after a
//! failure; and queues that hand out work.
//!
//! | | |
//! |---|---|
//! | [`Pool`] | at most `n` at a time: `spawn`, `apply`, `map`, `imap`, `imap_unordered` |
//! | [`Group`] | any number, read as they end, killed together |
//! | [`join_all`], [`try_join_all`], [`as_completed`] | wait for fibers that are there already |
//! | [`race`] | the first to end wins, the others are killed |
//! | [`Retry`] | calls a failed operation again, after a [`Backoff`] |
//! | [`PriorityQueue`], [`LifoQueue`], [`JoinableQueue`] | hand out work in a given order |
//!
//! All of it is for the fibers of one thread. Members that return, panic or are killed leave in the
//! same way; each outcome is a `Result`, and a panic that nothing reads is reported once. Every
//! wait is a kill point, and an interrupted wait leaves no trace; a wait that can never end fails
//! with a report. Under a virtual clock, the order of everything here is the same in each run.

mod backoff;
mod bounded;
mod completions;
mod error;
mod group;
mod imap;
mod line;
mod map;
mod permit;
mod permits;
mod queue;
mod retry;
mod together;

pub use backoff::Backoff;
pub use bounded::Pool;
pub use error::{
    DrainError, DrainTimeoutError, JoinTimeoutError, SpawnTimeoutError, TrySpawnError,
};
pub use group::{Group, Outcomes};
pub use imap::{Imap, ImapUnordered};
pub use permit::Permit;
pub use queue::{
    IntoItems, Items, JoinableQueue, LifoQueue, Newest, Oldest, Order, PriorityQueue, Ranked,
    Smallest, Task, WorkQueue,
};
pub use retry::{Retry, RetryError, Stopped};
pub use together::{AsCompleted, as_completed, join_all, race, try_join_all};
