//! The part of a channel's buffer that needs no lock: crossbeam's queue.
//!
//! Invariants:
//! - Only the calls of the queue that never wait are used. Its blocking calls would block the
//!   thread, with all its fibers.
//! - Both ends of the queue live as long as the ring, so it is never disconnected, and drops no
//!   value while it is in use.

use std::mem::size_of;

use crossbeam_channel::{Receiver, Sender};

/// The largest size of a ring of fixed size, in bytes.
const LARGEST_IN_BYTES: usize = 16 << 10;

/// A queue that never waits.
pub(super) struct Ring<T> {
    to: Sender<T>,
    from: Receiver<T>,
    size: usize,
}

impl<T> Ring<T> {
    /// Creates the ring of a channel that holds up to `capacity` values; `usize::MAX` is no limit.
    /// Returns `None` if a ring is not worth its memory: with room for one value, almost every
    /// operation has a waiter to serve under the lock.
    pub(super) fn new(capacity: usize) -> Option<Ring<T>> {
        if capacity == usize::MAX {
            let (to, from) = crossbeam_channel::unbounded();
            return Some(Ring { to, from, size: capacity });
        }
        let size = capacity.min(LARGEST_IN_BYTES / (size_of::<T>() + size_of::<usize>()));
        (2 <= size).then(|| {
            let (to, from) = crossbeam_channel::bounded(size);
            Ring { to, from, size }
        })
    }

    /// Returns how many values fit.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Appends `value`, or returns it if there is no room.
    #[inline(always)]
    pub(super) fn push(&self, value: T) -> Result<(), T> {
        self.to.try_send(value).map_err(|refused| refused.into_inner())
    }

    /// Takes the first value.
    #[inline(always)]
    pub(super) fn pop(&self) -> Option<T> {
        self.from.try_recv().ok()
    }

    pub(super) fn len(&self) -> usize {
        self.from.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.from.is_empty()
    }

    pub(super) fn has_room(&self) -> bool {
        !self.to.is_full()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_holds_as_many_values_as_fit() {
        for (capacity, size) in [(2, 2), (100, 100), (1_024, 1_024), (usize::MAX - 1, 1_024)] {
            let ring = Ring::new(capacity).unwrap();
            assert_eq!(ring.size(), size);
            for _ in 0..2 {
                (0..size).for_each(|i| ring.push(i).unwrap());
                assert_eq!((ring.push(7), ring.has_room(), ring.len()), (Err(7), false, size));
                (0..size).for_each(|i| assert_eq!(ring.pop(), Some(i)));
                assert_eq!((ring.pop(), ring.has_room(), ring.is_empty()), (None, true, true));
            }
        }
        assert_eq!(Ring::<[u8; 1_016]>::new(100).unwrap().size(), 16);
    }

    #[test]
    fn some_channels_have_no_ring() {
        assert!(Ring::<u8>::new(0).is_none() && Ring::<u8>::new(1).is_none());
        assert!(Ring::<[u8; 100_000]>::new(100).is_none());
        let ring = Ring::new(usize::MAX).unwrap();
        (0..5_000).for_each(|i| ring.push(i).unwrap());
        assert!(ring.has_room() && ring.size() == usize::MAX);
    }
}
