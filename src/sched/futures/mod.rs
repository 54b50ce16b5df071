//! Fibers as tasks: the waker of a fiber, the wait that it ends, and timers that call wakers.
//!
//! | word | meaning |
//! |---|---|
//! | task | a fiber that polls a future and waits for its waker |
//! | own waker | a waker made here, which runs no user code when it is called or dropped |
//! | caller | the fiber that calls wakers which are not own |
//!
//! Reading order: [`task`], [`task_timers`], [`foreign`].
//!
//! It may use `time`, `shared` and `core`.

pub(crate) mod foreign;
pub(crate) mod task;
pub(crate) mod task_timers;
