//! Jobs: closures that are `Send` and have not started, which any scheduler of a runtime may start
//! as a fiber.
//!
//! | word | meaning |
//! |---|---|
//! | job | a closure that has not started, and later the fiber that runs it |
//! | runtime | one or more schedulers, each on its own thread, that share jobs |
//! | seat | the place of one scheduler in its runtime, as the others see it |
//! | deque | the jobs that the fibers of one scheduler have spawned |
//! | injector | the jobs that were spawned outside of the runtime's fibers |
//! | stealing | to take the oldest job from the deque of another scheduler |
//!
//! ```text
//!   spawn in a fiber --> own deque (newest first) ----------------------\
//!                              \__ oldest first: stolen by the others ---+--> a fiber of the
//!   spawn elsewhere ---> injector ---------------------------------------+    scheduler that took
//!   spawn_on(i) -------> direct queue of seat i, for that scheduler only /    it, on its thread
//! ```
//!
//! A job starts only when no other fiber of a scheduler can run, or once in a turn. So a recursion
//! that spawns jobs goes depth first: it keeps few stacks alive, and the deque holds closures in
//! place of fibers. Once started, a job is a fiber like any other, and never leaves its thread.
//!
//! Reading order: [`job`], [`job_cell`], [`lent`], [`shared`], [`stage`], [`sleepers`], [`worker`],
//! [`threads`]; [`desk`], [`dump`] and [`stalls`] show all of it.

mod atomics;
pub(crate) mod children;
pub(crate) mod desk;
pub(crate) mod dump;
pub(crate) mod error;
pub(crate) mod handle;
pub(crate) mod job;
pub(crate) mod job_cell;
pub(crate) mod lent;
mod pin;
pub(crate) mod queueing;
pub(crate) mod remote_handle;
pub(crate) mod runtime_dump;
pub(crate) mod shared;
pub(crate) mod sleepers;
pub(crate) mod stage;
mod stalls;
mod state;
pub(crate) mod threads;
pub(crate) mod worker;
