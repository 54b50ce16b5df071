//! Locks of internal state that a panic does not poison.
//!
//! Invariant: nothing under these locks runs user code, so a panic cannot leave the state half
//! changed.

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Locks internal state, even if a thread has panicked while it held the lock.
#[inline]
pub(crate) fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks internal state for reading, even if a thread has panicked while it held the lock.
#[inline]
pub(crate) fn reading<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

/// Locks internal state for writing, even if a thread has panicked while it held the lock.
#[inline]
pub(crate) fn writing<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
