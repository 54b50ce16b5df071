//! Locks.
mod barrier;
mod condvar;
mod error;
mod event;
mod mutex;
mod once;
mod once_cell;
mod queue;
mod raw_mutex;
mod raw_rwlock;
mod reentrant;
mod rwlock;
mod semaphore;
mod wait_group;
mod waiter;

pub use barrier::{Barrier, BarrierWaitResult};
pub use condvar::{Condvar, WaitTimeoutResult};
pub use error::TimeoutError;
pub use event::Event;
pub use mutex::{Mutex, MutexGuard};
pub use once::Once;
pub use once_cell::{LazyLock, OnceCell};
pub use reentrant::{ReentrantMutex, ReentrantMutexGuard};
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use semaphore::{Permit, Semaphore};
pub use wait_group::{WaitGroup, Worker};
