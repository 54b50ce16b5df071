//! A counter of one thread that another thread may read while it changes.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};

/// A counter that one thread changes, and that other threads may read.
///
/// The thread that changes it pays nothing for that: a relaxed load and a relaxed store are plain
/// instructions. Readers learn only whether it has changed, and nothing about other memory.
#[derive(Debug, Default)]
pub(crate) struct SharedCounter(AtomicU64);

impl SharedCounter {
    pub(crate) const fn new(value: u64) -> SharedCounter {
        SharedCounter(AtomicU64::new(value))
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Sets the value. Only its own thread calls this.
    #[inline(always)]
    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }
}
