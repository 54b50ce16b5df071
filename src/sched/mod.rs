//! The scheduler: the order in which fibers run, how they wait, and what happens when none can run.
//!
//! | word | meaning |
//! |---|---|
//! | run ring | the queue of ready fibers, in the order in which they run |
//! | turn | one poll of timers, events and messages from other threads |
//! | batch | the switches between two turns |
//! | budget | the operations that a fiber may do without waiting before it yields |
//! | park | to suspend the running fiber until it is woken, with a reason and a location |
//! | ready | in the run ring |
//!
//! The order is that of Stackless: a spawned or woken fiber goes to the end of the ring. Only a
//! channel with a preference, and `spawn_now`, put a fiber directly behind the current one; and a
//! fiber that another thread has woken usually runs next. A
//! program without other threads and I/O, on the virtual clock, interleaves the same way each time.
//!
//! The contract of parking: before a fiber parks, it puts its node where its waker will find it,
//! and holds a guard whose destructor takes the node out again. A waker takes the node out, stores
//! the value that it hands over, and makes the fiber ready. The fiber first checks whether its wait
//! is completed. Only if it is not, the fiber checks whether it was killed or its deadline has
//! passed.
//!
//! Each room may use only rooms that stand below it. `tests/layering/rooms.rs` lists every allowed
//! dependency; the files depend on each other without cycles.
//!
//! ```text
//!   api        the public calls: spawn, join, scope, run
//!   hosted     turns that the event loop of another library calls
//!   turn       the work between two batches
//!   deadlock   whether a waiting fiber can still be woken, and which wait fails otherwise
//!   threads    requests of other threads to fibers
//!   futures    fibers as tasks          tasklet   support for Stackless
//!   core       the ring, parking, the batch, the end of a fiber
//!   shared     the parts of a scheduler that other threads hold
//!   time       clocks and timers
//! ```
//!
//! [`lowlevel`] is the interface of the scheduler for `channel/`, `sync/` and the modules above
//! them.
//!
//! Reading order: [`core`], then [`turn`], then the room that the question is about.

pub(crate) mod api;
pub(crate) mod core;
pub(crate) mod deadlock;
pub(crate) mod futures;
#[cfg(feature = "tokio")]
pub(crate) mod hosted;
pub(crate) mod lowlevel;
pub(crate) mod shared;
pub(crate) mod tasklet;
pub(crate) mod threads;
pub(crate) mod time;
pub(crate) mod turn;

#[cfg(test)]
mod tests;
