//! Locks.
mod error;
mod mutex;
mod queue;
mod raw_mutex;
mod waiter;

pub use error::TimeoutError;
pub use mutex::{Mutex, MutexGuard};
