//! Locks of internal state that a panic does not poison.
//!
//! Invariant: nothing under these locks runs user code, so a panic cannot leave the state half
//! changed.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks internal state, even if a thread has panicked while it held the lock.
#[inline]
pub(crate) fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
