//! Many fibers at once: with a limit, as a group, in the order of their ends, again after a
//! failure; and queues for those who hand out work.
//!
//! | | |
//! |---|---|
//! | [`Pool`] | at most `n` at a time: `spawn`, `apply`, `map`, `imap`, `imap_unordered` |
//! | [`Group`] | any number, read as they end, killed together |
//! | [`join_all`], [`try_join_all`], [`as_completed`] | wait for fibers that are there already |
//! | [`race`] | the first to end wins, the others are killed |
//! | [`Retry`] | calls again what failed, after a [`Wait`] |
//! | [`PriorityQueue`], [`LifoQueue`], [`JoinableQueue`] | work by rank, the newest, the oldest first |
//!
//! All of it is for the fibers of one thread. Members that return, panic or are killed leave in the
//! same way; each outcome is a `Result`, and a panic that nobody reads is reported once. Every wait
//! is a kill point and leaves no trace; a wait that can never end fails with a report. Under a
//! virtual clock everything here comes in the same order every time.

mod bounded;
mod error;
mod group;
mod imap;
mod line;
mod map;
mod place;
mod places;
mod queue;
mod retry;
mod roll;
mod together;
mod wait;

pub use bounded::Pool;
pub use error::{DrainError, JoinTimeoutError, SpawnTimeoutError, TrySpawnError};
pub use group::{Group, Outcomes};
pub use imap::{Imap, ImapUnordered};
pub use place::Place;
pub use queue::{
    IntoItems, Items, JoinableQueue, LifoQueue, Newest, Oldest, Order, PriorityQueue, Ranked,
    Smallest, Task, WorkQueue,
};
pub use retry::{Retry, RetryError, Stopped};
pub use together::{AsCompleted, as_completed, join_all, race, try_join_all};
pub use wait::Wait;
