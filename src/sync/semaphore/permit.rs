//! What was acquired of a semaphore, until it is given back.
//!
//! Invariant: a permit stands for permits that were taken, and gives them back once.

use std::fmt;
use std::mem;

use super::Semaphore;

/// What was acquired of a [`Semaphore`]; given back when it is dropped. It may be dropped anywhere.
#[must_use = "a permit is given back when it is dropped"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    permits: usize,
}

impl<'a> Permit<'a> {
    #[inline]
    pub(super) fn new(semaphore: &'a Semaphore, permits: usize) -> Permit<'a> {
        Permit { semaphore, permits }
    }

    /// How many permits it stands for.
    #[must_use]
    pub fn permits(&self) -> usize {
        self.permits
    }

    /// Never gives the permits back.
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
