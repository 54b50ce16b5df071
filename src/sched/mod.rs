//! Who runs next.
//!
//! | word | meaning |
//! |---|---|
//! | ring | the fibers that can run, in the order in which they will |
//! | turn | one look at the outside: mail from other threads, deadlines, events |
//! | batch | the switches between two turns |
//! | budget | operations that a fiber may do without waiting before it gives way |
//! | park | to wait for something: the one way to leave the thread, with a reason and a location |
//! | ready | parked no more: back in the ring |
//!
//! The order is that of Stackless (S-001 to S-012): a spawned or woken fiber goes to the end of the
//! ring; only a channel with a preference, and `spawn_now`, put one directly behind the current.
//! A program without other threads and I/O, on the virtual clock, interleaves the same way each
//! time.
//!
//! The contract of parking: a fiber that parks has put its node where its waker will find it, and
//! has a destructor that takes it out again. A waker takes the node out, stores what it has to
//! give, and makes the fiber ready. The fiber looks whether it was given something, and only if
//! not, whether it was killed or its deadline has passed.
//!
//! Reading order: [`scheduler`], [`park`], [`run_loop`], [`interrupt`], [`end`], [`run`].

pub(crate) mod children;
pub(crate) mod choose;
pub(crate) mod circles;
pub(crate) mod clock;
pub(crate) mod completion;
pub(crate) mod deadlock;
pub(crate) mod dump;
pub(crate) mod end;
pub(crate) mod facade;
pub(crate) mod handle;
pub(crate) mod hooks;
pub(crate) mod idle;
pub(crate) mod interrupt;
pub(crate) mod io_error;
pub(crate) mod join;
pub(crate) mod kill_request;
pub(crate) mod limit;
pub(crate) mod lock_graph;
pub(crate) mod lowlevel;
pub(crate) mod mailbox;
pub(crate) mod outside;
pub(crate) mod owner;
pub(crate) mod park;
pub(crate) mod pause;
pub(crate) mod region;
pub(crate) mod registry;
pub(crate) mod remote;
pub(crate) mod retire;
pub(crate) mod rotate;
pub(crate) mod run;
pub(crate) mod run_loop;
pub(crate) mod scheduler;
pub(crate) mod scope;
pub(crate) mod shield;
pub(crate) mod spawn;
pub(crate) mod task;
pub(crate) mod task_timers;
pub(crate) mod throw;
pub(crate) mod timers;
pub(crate) mod unstarted;
pub(crate) mod unwinding;
pub(crate) mod watchers;
pub(crate) mod with_stack;
pub(crate) mod witness;

#[cfg(test)]
mod tests;
