//! Deadlocks. When no fiber can run, the scheduler checks whether another thread may still wake
//! one. If not, it makes one of the waits fail, with a report of all fibers.
//!
//! | word | meaning |
//! |---|---|
//! | witness | a fiber that another thread may still wake: the reason why this is no deadlock |
//! | victim | the fiber whose wait fails |
//! | circle | fibers of several threads, each of which waits for a lock that the next one holds |
//! | dump | a snapshot of all fibers: what each one does, where, and since when |
//!
//! Reading order: [`witness`], [`victim`], [`lock_graph`], [`circles`], [`targets`], [`dump`],
//! `stacks`.
//!
//! It may use `time`, `shared`, `core`, `tasklet` and `threads`.

pub(crate) mod circles;
pub(crate) mod dump;
pub(crate) mod lock_graph;
#[cfg(feature = "diagnostics")]
pub(crate) mod stacks;
pub(crate) mod targets;
pub(crate) mod victim;
pub(crate) mod witness;
