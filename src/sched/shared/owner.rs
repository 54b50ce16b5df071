//! Who holds a lock, in one word that fits into the lock's own.
//!
//! ```text
//!   63            32 31                          2 1 0
//!  +----------------+-----------------------------+---+
//!  | scheduler, or 0| fiber's number, or thread's | 0 |   the two bits are the lock's
//!  +----------------+-----------------------------+---+
//! ```
//!
//! Invariants:
//! - The scheduler's number and a thread's are whole and never reused; of a fiber's number there are
//!   30 bits. So an owner that is of another thread never looks like one of this, and two fibers of
//!   one scheduler look alike only if a billion others were spawned between them.
//! - No owner is 0.

use std::fmt;

use crate::fiber::current;
use crate::fiber::id::FiberId;

/// A fiber of some scheduler; or a thread on which no fiber runs, or of which any fiber may be it.
#[derive(Copy, Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Owner(u64);

impl Owner {
    /// The bits of a word that are not the owner's.
    pub(crate) const FREE_BITS: u64 = 0b11;

    /// The running fiber, or this thread.
    #[inline]
    pub(crate) fn me() -> Owner {
        match current::fiber() {
            Some(fiber) => Owner::of_fiber(fiber.id()),
            None => Owner::this_thread(),
        }
    }

    /// This thread: whatever fiber of it, or what runs outside of `run`.
    pub(crate) fn this_thread() -> Owner {
        Owner(u64::from(current::thread_number()) << 2)
    }

    #[inline]
    pub(crate) fn of_fiber(FiberId { scheduler, number }: FiberId) -> Owner {
        Owner(u64::from(scheduler) << 32 | number << 2 & u64::from(u32::MAX))
    }

    /// The owner in a lock's word, whose own bits are cut off.
    #[inline]
    pub(crate) fn of_bits(bits: u64) -> Owner {
        Owner(bits & !Owner::FREE_BITS)
    }

    #[inline]
    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    /// The number of the scheduler; 0 of a thread.
    #[inline]
    pub(crate) fn scheduler(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The owners of a scheduler lie between this and [`last_of`](Owner::last_of).
    pub(crate) fn first_of(scheduler: u32) -> Owner {
        Owner(u64::from(scheduler) << 32)
    }

    pub(crate) fn last_of(scheduler: u32) -> Owner {
        Owner(u64::from(scheduler) << 32 | u64::from(u32::MAX))
    }

    /// A number that all owners of one scheduler have, and of a thread all that are this thread. No other
    /// has it; and sums of the numbers of several differ from a multiple of one, but for one in billions.
    #[inline]
    pub(crate) fn mark(self) -> u32 {
        let whose = match self.scheduler() {
            0 => !(self.0 as u32),
            id => id,
        };
        // One multiplication would keep sums: of three numbers in a row the outer two would often have
        // twice the mark of the middle one.
        let mixed = whose.wrapping_mul(0x9e37_79b1);
        let mixed = (mixed ^ mixed >> 15).wrapping_mul(0x85eb_ca77);
        mixed ^ mixed >> 13
    }

    pub(crate) fn is_thread(self) -> bool {
        self.scheduler() == 0
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = (self.0 as u32) >> 2;
        match self.scheduler() {
            0 => write!(f, "thread {number}"),
            id => write!(f, "fiber #{number} of run {id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marks_of_two_do_not_sum_up_to_twice_that_of_a_third() {
        let mark = |id: u32| Owner::first_of(id).mark();
        for middle in 1..if cfg!(miri) { 100 } else { 5_000_u32 } {
            for distance in 1..middle.min(200) {
                let sum = mark(middle - distance).wrapping_add(mark(middle + distance));
                assert_ne!(sum, mark(middle).wrapping_mul(2), "{middle} +- {distance}");
            }
        }
    }
}
