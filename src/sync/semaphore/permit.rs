//! The permits that were acquired together from a semaphore, until they are given back.
//!
//! Invariant: a `Permit` stands for permits that were taken, and gives them back at most once.

use std::fmt;
use std::mem;

use super::Semaphore;

/// The permits that one call has acquired from a [`Semaphore`]. Dropping it, in any fiber or
/// thread, gives them back.
///
/// # Examples
///
/// ```
/// use fibra::sync::Semaphore;
///
/// let semaphore = Semaphore::new(2);
/// let permit = semaphore.acquire();
/// assert_eq!((permit.permits(), semaphore.available()), (1, 1));
/// drop(permit);
/// assert_eq!(semaphore.available(), 2);
/// ```
#[must_use = "a permit is given back when it is dropped"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    permits: usize,
}

impl<'a> Permit<'a> {
    #[inline]
    pub(in crate::sync) fn new(semaphore: &'a Semaphore, permits: usize) -> Permit<'a> {
        Permit { semaphore, permits }
    }

    /// Returns the number of permits that it stands for.
    #[must_use]
    pub fn permits(&self) -> usize {
        self.permits
    }

    /// Consumes the permits without giving them back: the semaphore has fewer from now on.
    pub fn forget(self) {
        self.semaphore.forget(self.permits);
        mem::forget(self);
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        self.semaphore.give(self.permits);
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("permits", &self.permits).finish_non_exhaustive()
    }
}
