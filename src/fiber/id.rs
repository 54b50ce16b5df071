//! The identities of fibers, which stay unambiguous after their fiber has ended.

use std::fmt;

/// The identity of a fiber: unique within the process and never reused.
///
/// Fibers of one `run` are numbered from 1 in the order in which they were spawned; the main fiber
/// is number 1. The same program therefore prints the same ids every time.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let (a, b) = (fibra::spawn(|| ()), fibra::spawn(|| ()));
///     assert_ne!(a.fiber().id(), b.fiber().id());
///     assert_eq!(fibra::current().id().to_string(), "#1"); // the main fiber
/// });
/// ```
#[derive(Copy, Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct FiberId {
    /// The number of the scheduler within the process. These numbers are not reused either.
    pub(crate) scheduler: u32,
    pub(crate) number: u64,
}

impl FiberId {
    /// Returns the fiber's number within its `run`: 1 for the main fiber.
    #[must_use]
    pub fn number(self) -> u64 {
        self.number
    }
}

impl fmt::Display for FiberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.number)
    }
}

/// The fiber that spawned another one, in one word.
///
/// ```text
///   0                                    no fiber: the main fiber, a job from outside
///   0 | number                           a fiber of the same scheduler
///   1 | scheduler, 27 bits | number, 36  a fiber of another scheduler, if both numbers fit
/// ```
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) struct Parent(u64);

const ELSEWHERE: u64 = 1 << 63;
const NUMBER_BITS: u32 = 36;
const SCHEDULER_BITS: u32 = 63 - NUMBER_BITS;

impl Parent {
    pub(crate) const NONE: Parent = Parent(0);
    /// The number of bits for the number of a fiber of another scheduler, for debuggers.
    pub(crate) const BITS_ELSEWHERE: usize = NUMBER_BITS as usize;

    /// Returns the fiber with this number, of the scheduler of its child.
    #[inline(always)]
    pub(crate) const fn here(number: u64) -> Parent {
        Parent(number)
    }

    /// Returns the parent of a fiber of `scheduler`. A fiber of another scheduler whose numbers do
    /// not fit is forgotten.
    pub(crate) fn new(parent: Option<FiberId>, scheduler: u32) -> Parent {
        let Some(parent) = parent else { return Parent::NONE };
        if parent.scheduler == scheduler {
            return Parent(parent.number);
        }
        let fits = parent.scheduler >> SCHEDULER_BITS == 0 && parent.number >> NUMBER_BITS == 0;
        let packed = ELSEWHERE | u64::from(parent.scheduler) << NUMBER_BITS | parent.number;
        if fits { Parent(packed) } else { Parent::NONE }
    }

    /// Returns the identity of the parent of a fiber of `scheduler`.
    pub(crate) fn of(self, scheduler: u32) -> Option<FiberId> {
        match self.0 {
            0 => None,
            number if number & ELSEWHERE == 0 => Some(FiberId { scheduler, number }),
            packed => {
                #[allow(clippy::cast_possible_truncation, reason = "27 bits are left")]
                let scheduler = ((packed & !ELSEWHERE) >> NUMBER_BITS) as u32;
                Some(FiberId { scheduler, number: packed & ((1 << NUMBER_BITS) - 1) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_found_again_by_its_child() {
        let here = FiberId { scheduler: 7, number: u64::MAX >> 1 };
        let far = FiberId { scheduler: (1 << SCHEDULER_BITS) - 1, number: (1 << NUMBER_BITS) - 1 };
        for parent in [None, Some(here), Some(far), Some(FiberId { scheduler: 1, number: 1 })] {
            assert_eq!(Parent::new(parent, 7).of(7), parent);
        }
        let too_far = FiberId { scheduler: 1 << SCHEDULER_BITS, number: 1 };
        assert_eq!(Parent::new(Some(too_far), 7), Parent::NONE);
        let too_late = FiberId { scheduler: 8, number: 1 << NUMBER_BITS };
        assert_eq!(Parent::new(Some(too_late), 7), Parent::NONE);
    }
}
