//! tokio beside and around a scheduler: a runtime that the fibers use, and schedulers that run as a
//! future of a runtime.
//!
//! ```text
//!   companion                                    guest
//!     run: the scheduler's thread                  frame: the thread of the user's runtime
//!       block_on of a runtime of its own             block_on
//!         turns of the scheduler                       turns of the scheduler
//!         tasks of the runtime                         tasks of the runtime
//! ```
//!
//! Both are the same loop, [`Bed::poll`]: run turns until no fiber is ready, then wait in tokio for
//! the scheduler's events, its next deadline, or a task that wakes a fiber.
//!
//! Invariants:
//! - Tasks of tokio run between turns, on the thread's own stack, where no fiber runs.
//! - The scheduler stays that of its thread between turns. So a task that wakes a fiber puts it
//!   into the ring directly, and sets off the alarm of the ring.
//! - No guard of tokio's context is held by code on a fiber's stack.

mod bed;
mod companion;
mod guest;

pub(crate) use companion::{Companion, TokioIdle};
pub use guest::{Guest, guest};
