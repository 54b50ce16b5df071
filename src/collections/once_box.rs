//! A value in a box that is made when it is first needed, by any of several threads.
//!
//! Invariants:
//! - The pointer is set once, from null to a box that nothing else refers to, and stays until the
//!   cell is dropped. So a reference to the value may live as long as one to the cell.

#![allow(unsafe_code, reason = "refers to a box through an atomic pointer")]

use std::fmt;
use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A cell of one word, for a value that is seldom needed.
pub(crate) struct OnceBox<T> {
    /// Null, or from [`Box::into_raw`].
    at: AtomicPtr<T>,
    /// The cell owns the value. `AtomicPtr` is `Send` and `Sync` whatever `T` is.
    owns: PhantomData<Box<T>>,
}

// SAFETY: threads that share the cell share the value (`T: Sync`), and the last of them drops a
// value that another one has made (`T: Send`).
unsafe impl<T: Send + Sync> Sync for OnceBox<T> {}

impl<T> OnceBox<T> {
    pub(crate) const fn new() -> OnceBox<T> {
        OnceBox { at: AtomicPtr::new(ptr::null_mut()), owns: PhantomData }
    }

    /// Returns the value, if it was made.
    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        // SAFETY: the pointer is null or from a box that lives as long as the cell (the top), and
        // `Acquire` makes what the box's thread has written visible.
        unsafe { self.at.load(Ordering::Acquire).as_ref() }
    }

    /// Returns the value, and makes it by `make` if there is none. If two threads make one, the
    /// second is dropped.
    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        if let Some(value) = self.get() {
            return value;
        }
        let new = Box::into_raw(Box::new(make()));
        let set =
            self.at.compare_exchange(ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire);
        let at = match set {
            Ok(_) => new,
            Err(first) => {
                // SAFETY: it comes from `into_raw` above, and was not published.
                drop(unsafe { Box::from_raw(new) });
                first
            }
        };
        // SAFETY: like in `get`: both are the box that was published.
        unsafe { &*at }
    }
}

impl<T> Drop for OnceBox<T> {
    fn drop(&mut self) {
        let at = *self.at.get_mut();
        if !at.is_null() {
            // SAFETY: it comes from `Box::into_raw`, and references to the value borrow the cell,
            // so there are none.
            drop(unsafe { Box::from_raw(at) });
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceBox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnceBox").field(&self.get()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::Arc;
    use std::sync::Barrier;
    use std::thread;

    #[test]
    fn the_first_value_stays_and_is_dropped_with_the_cell() {
        let value = Arc::new(());
        let cell = OnceBox::new();
        assert!(cell.get().is_none());
        assert!(Arc::ptr_eq(cell.get_or_init(|| value.clone()), &value));
        assert!(Arc::ptr_eq(cell.get_or_init(|| unreachable!()), &value));
        assert!(cell.get().is_some_and(|first| Arc::ptr_eq(first, &value)));
        assert_eq!(Arc::strong_count(&value), 2);
        drop(cell);
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn threads_that_make_the_value_at_the_same_time_get_the_same_one() {
        for _ in 0..200 {
            let (cell, start, drops) = (OnceBox::new(), Barrier::new(2), Arc::new(()));
            let made = || {
                start.wait();
                ptr::from_ref(cell.get_or_init(|| drops.clone())).addr()
            };
            let (one, other) = thread::scope(|scope| {
                let other = scope.spawn(made);
                (made(), other.join().unwrap())
            });
            assert_eq!(one, other);
            assert_eq!(Arc::strong_count(&drops), 2);
        }
    }
}
