//! What one side of a channel publishes to the other, in one word.
//!
//! Invariant: the word changes under the lock of the lines, and is published before the lock is
//! released. It may be read without the lock: see [`line`](super::line).

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::sync::mpmc::patience::Patience;

/// What one side of a channel publishes: how many handles it has, and whether any of them waits.
pub(super) struct Side {
    /// The number of handles.
    handles: AtomicUsize,
    /// The flags below, and [`ONE_WAITS`] for each waiter and watcher.
    word: AtomicUsize,
    /// Whether its calls look for a while before they wait.
    pub(super) patience: Patience,
}

/// All handles of the side are gone.
const GONE: usize = 1;
/// The channel has no ring.
pub(super) const LOCKED: usize = 2;
/// Of the sending side: there is a ring, and there are values behind it.
pub(super) const STORED: usize = 4;
/// There is a ring, and values in front of it: each call takes the lock.
pub(super) const RETURNED: usize = 8;
const ONE_WAITS: usize = 16;

impl Side {
    pub(super) fn new() -> Side {
        Side {
            handles: AtomicUsize::new(1),
            word: AtomicUsize::new(LOCKED),
            patience: Patience::new(),
        }
    }

    pub(super) fn add_handle(&self) {
        self.handles.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns whether this was the last handle. Its caller then sees what was done through the
    /// others.
    pub(super) fn drop_handle(&self) -> bool {
        // Only the holder of a handle can make another one.
        self.handles.load(Ordering::Acquire) == 1
            || self.handles.fetch_sub(1, Ordering::AcqRel) == 1
    }

    pub(super) fn handles(&self) -> usize {
        self.handles.load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(super) fn word(&self) -> usize {
        self.word.load(Ordering::Acquire)
    }

    /// Returns whether any handle of the side waits.
    #[inline(always)]
    pub(super) fn waits(&self) -> bool {
        ONE_WAITS <= self.word()
    }

    pub(super) fn is_gone(&self) -> bool {
        self.word() & GONE != 0
    }

    /// Publishes that `waiting` handles wait, and `flags`. The caller has locked the lines.
    pub(super) fn publish(&self, waiting: usize, flags: usize) {
        let word = self.word.load(Ordering::Relaxed);
        let new = (waiting * ONE_WAITS) | flags | (word & GONE);
        if new != word {
            self.word.store(new, Ordering::Release);
        }
    }

    /// Publishes that no handle is left. The caller has locked the lines.
    pub(super) fn end(&self) {
        self.handles.store(0, Ordering::Relaxed);
        self.word.fetch_or(GONE, Ordering::Release);
    }
}
