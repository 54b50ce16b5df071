//! The front of a channel's buffer, which needs no lock: crossbeam's queue of fixed size.
//!
//! Invariants:
//! - Only the calls of the queue that never wait are used. Its blocking calls would block the
//!   thread, with all its fibers.
//! - Both ends of the queue live as long as the ring, so it is never disconnected, and drops no
//!   value while it is in use.

use std::mem::size_of;

use crossbeam_channel::{Receiver, Sender};

/// The most values that a ring holds, and its largest size in bytes.
const LARGEST: usize = 256;
const LARGEST_IN_BYTES: usize = 8 << 10;

/// A queue of fixed size, or none.
pub(super) struct Ring<T> {
    ends: Option<(Sender<T>, Receiver<T>)>,
    size: usize,
}

impl<T> Ring<T> {
    /// Creates the ring of a channel that holds up to `capacity` values.
    pub(super) fn new(capacity: usize) -> Ring<T> {
        let fitting = LARGEST_IN_BYTES / (size_of::<T>() + size_of::<usize>());
        let size = capacity.min(LARGEST).min(fitting);
        // With room for one value, almost every operation has a waiter to serve under the lock.
        let size = if size < 2 { 0 } else { size };
        Ring { ends: (size != 0).then(|| crossbeam_channel::bounded(size)), size }
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Appends `value`, or returns it if there is no room.
    #[inline(always)]
    pub(super) fn push(&self, value: T) -> Result<(), T> {
        match &self.ends {
            Some((to, _)) => to.try_send(value).map_err(|refused| refused.into_inner()),
            None => Err(value),
        }
    }

    /// Takes the first value.
    #[inline(always)]
    pub(super) fn pop(&self) -> Option<T> {
        self.ends.as_ref().and_then(|(_, from)| from.try_recv().ok())
    }

    pub(super) fn len(&self) -> usize {
        self.ends.as_ref().map_or(0, |(_, from)| from.len())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.as_ref().is_none_or(|(_, from)| from.is_empty())
    }

    pub(super) fn has_room(&self) -> bool {
        self.ends.as_ref().is_some_and(|(to, _)| !to.is_full())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_holds_as_many_values_as_fit() {
        for (capacity, size) in [(0, 0), (1, 0), (2, 2), (100, 100), (usize::MAX, LARGEST)] {
            let ring = Ring::new(capacity);
            assert_eq!(ring.size(), size);
            for _ in 0..2 {
                (0..size).for_each(|i| ring.push(i).unwrap());
                assert_eq!((ring.push(7), ring.has_room(), ring.len()), (Err(7), false, size));
                (0..size).for_each(|i| assert_eq!(ring.pop(), Some(i)));
                assert_eq!((ring.pop(), ring.has_room(), ring.is_empty()), (None, 0 < size, true));
            }
        }
        assert_eq!(Ring::<[u8; 1_016]>::new(100).size(), 8);
        assert_eq!(Ring::<[u8; 100_000]>::new(100).size(), 0);
    }
}
