//! The holder of a lock, in one word that fits into the lock's own word.
//!
//! ```text
//!   63            32 31                         3 2 0
//!  +----------------+-----------------------------+---+
//!  | scheduler, or 0| fiber's number, or thread's | 0 |   the three bits are the lock's
//!  +----------------+-----------------------------+---+
//! ```
//!
//! Invariants:
//! - The number of a scheduler and that of a thread are complete and never reused; of a fiber's
//!   number there are 29 bits. So an owner of another thread never equals an owner of this thread,
//!   and two fibers of one scheduler are equal only if 500 million others were spawned between
//!   them.
//! - No owner is 0.
//! - All tasks of executors are one owner, [`Owner::TASK`]: any thread may poll a task and release
//!   its locks, so nothing asks which task holds a lock. The owner is no thread: a thread never
//!   meets a lock that it seems to hold itself because one of its tasks does.

use std::fmt;

use crate::fiber::current;
use crate::fiber::id::FiberId;

/// The owner of a lock: one fiber of one scheduler; a task of an executor; or a thread, which
/// stands for the code that runs there outside of fibers, or for any of its fibers.
#[derive(Copy, Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Owner(u64);

impl Owner {
    /// The bits of a word that belong to the lock.
    pub(crate) const FREE_BITS: u64 = 0b111;

    /// A task of any executor: the highest number of a thread, which none ever has.
    pub(crate) const TASK: Owner = Owner((u32::MAX as u64) & !Owner::FREE_BITS);

    /// Returns the current fiber, or this thread if no fiber runs on it.
    #[inline]
    pub(crate) fn me() -> Owner {
        match current::fiber() {
            Some(fiber) => Owner::of_fiber(fiber.id()),
            None => Owner::this_thread(),
        }
    }

    /// Returns this thread: any of its fibers, or the code that runs outside of `run`.
    pub(crate) fn this_thread() -> Owner {
        Owner(u64::from(current::thread_number()) << 3)
    }

    #[inline]
    pub(crate) fn of_fiber(FiberId { scheduler, number }: FiberId) -> Owner {
        Owner(u64::from(scheduler) << 32 | number << 3 & u64::from(u32::MAX))
    }

    /// Returns the owner in a lock's word, without the bits of the lock.
    #[inline]
    pub(crate) fn of_bits(bits: u64) -> Owner {
        Owner(bits & !Owner::FREE_BITS)
    }

    #[inline]
    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    /// Returns the number of the scheduler, or 0 for a thread.
    #[inline]
    pub(crate) fn scheduler(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Returns the least owner of a scheduler. All its owners are between this one and
    /// [`last_of`](Owner::last_of).
    pub(crate) fn first_of(scheduler: u32) -> Owner {
        Owner(u64::from(scheduler) << 32)
    }

    pub(crate) fn last_of(scheduler: u32) -> Owner {
        Owner(u64::from(scheduler) << 32 | u64::from(u32::MAX))
    }

    /// Returns a number that is the same for all owners of one scheduler, and different for every
    /// other scheduler and thread. A sum of the marks of several schedulers or threads equals a
    /// multiple of one mark only in one case out of billions.
    #[inline]
    pub(crate) fn mark(self) -> u32 {
        let whose = match self.scheduler() {
            0 => !(self.0 as u32),
            id => id,
        };
        // A single multiplication would preserve sums: for three consecutive numbers, the marks of
        // the outer two would add up to twice the mark of the middle one.
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
        let number = (self.0 as u32) >> 3;
        match self.scheduler() {
            _ if *self == Owner::TASK => f.write_str("a task"),
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
