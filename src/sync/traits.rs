//! The traits that are the same for all locks that contain data, and for all of their guards.

use std::fmt;

use crate::sync::mutex::{Mutex, MutexGuard};
use crate::sync::reentrant::{ReentrantMutex, ReentrantMutexGuard};
use crate::sync::rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Makes locks from their data.
macro_rules! locks {
    ($($lock:ident)*) => {$(
        impl<T: Default> Default for $lock<T> {
            fn default() -> $lock<T> {
                $lock::new(T::default())
            }
        }

        impl<T> From<T> for $lock<T> {
            fn from(value: T) -> $lock<T> {
                $lock::new(value)
            }
        }
    )*};
}

/// Shows guards as their data.
macro_rules! guards {
    ($($guard:ident)*) => {$(
        impl<T: ?Sized + fmt::Debug> fmt::Debug for $guard<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }

        impl<T: ?Sized + fmt::Display> fmt::Display for $guard<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }
    )*};
}

locks!(Mutex ReentrantMutex RwLock);
guards!(MutexGuard ReentrantMutexGuard RwLockReadGuard RwLockWriteGuard);
