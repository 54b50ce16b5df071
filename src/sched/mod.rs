//! The scheduler: which fiber runs next, how fibers wait, and what happens when none can run.
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
//! channel with a preference, and `spawn_now`, put a fiber directly behind the current one. A
//! program without other threads and I/O, on the virtual clock, interleaves the same way each time.
//!
//! The contract of parking: a fiber that parks has put its node where its waker will find it, and
//! has a destructor that takes it out again. A waker takes the node out, stores what it has to
//! give, and makes the fiber ready. The fiber checks whether it was given something, and only if
//! not, whether it was killed or its deadline has passed.
//!
//! The rooms, each of which may use only rooms that stand below it (`tests/layering/rooms.rs` holds
//! the arrows one by one; no two files use each other, not even in a wider circle):
//!
//! ```text
//!   api        what users call: spawn, join, scope, run
//!   turn       what happens between two batches
//!   deadlock   who may still wake whom, and which wait fails
//!   threads    what other threads ask of fibers
//!   futures    fibers as tasks          tasklet   what exists for Stackless
//!   core       the ring, parking, the batch, the end of a fiber
//!   shared     what other threads hold of a scheduler
//!   time       clocks and timers
//! ```
//!
//! [`lowlevel`] is the face of all this to `channel/`, `sync/` and what is built on them.
//!
//! Reading order: [`core`], then [`turn`], then whichever room the question is about.

pub(crate) mod api;
pub(crate) mod core;
pub(crate) mod deadlock;
pub(crate) mod futures;
pub(crate) mod lowlevel;
pub(crate) mod shared;
pub(crate) mod tasklet;
pub(crate) mod threads;
pub(crate) mod time;
pub(crate) mod turn;

#[cfg(test)]
mod tests;
