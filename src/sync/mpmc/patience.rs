//! Looking for a short time before a call joins the line of a channel.
//!
//! A receiver that is a little faster than a sender on another thread finds the channel empty again
//! and again. If it joined the line each time, both threads would pay for a wait: for the lock of
//! the lines, a message between the threads, and two switches. So a call first looks for about as
//! long as such a wait takes. Meanwhile several values come, and the next calls find them.
//!
//! Invariants:
//! - A call looks only if the channel has a ring, so that two threads have used it, and only as
//!   long as nothing else could run on its thread.
//! - Looks that find nothing become rare: after each of them the calls join the line directly twice
//!   as often as before, up to [`MOST_SKIPPED`] times.

use std::hint;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::sched::lowlevel::nothing_else_can_run;

/// The number of looks. Together with the pauses between them they take a few microseconds.
const LOOKS: u32 = 8;

/// The length of the first pause. The other thread needs the memory that a look reads: a look after
/// each value would cost it more than the wait.
const FIRST_PAUSE: u32 = 8;

/// The longest pause between two looks.
const LONGEST_PAUSE: u32 = 32;

/// The most calls that join the line directly after looks that found nothing.
const MOST_SKIPPED: u8 = 63;

/// Whether it was worth to look lately, on one side of a channel. It is a hint: if several threads
/// change it at the same time, some changes are lost.
#[derive(Debug)]
pub(super) struct Patience {
    /// The number of coming calls that join the line directly.
    skips: AtomicU8,
    /// The number of calls that did so after the last looks that found nothing; 0 if the last ones
    /// have found something.
    skipped: AtomicU8,
}

impl Patience {
    pub(super) const fn new() -> Patience {
        Patience { skips: AtomicU8::new(0), skipped: AtomicU8::new(0) }
    }

    /// Looks until `found` returns `true` or it is not worth to look longer. Returns the result of
    /// the last look.
    pub(super) fn look(&self, found: impl Fn() -> bool) -> bool {
        let skips = self.skips.load(Ordering::Relaxed);
        if skips != 0 {
            self.skips.store(skips - 1, Ordering::Relaxed);
            return false;
        }
        let mut pause = FIRST_PAUSE;
        for _ in 0..LOOKS {
            if !nothing_else_can_run() {
                return false;
            }
            (0..pause).for_each(|_| hint::spin_loop());
            if found() {
                self.skipped.store(0, Ordering::Relaxed);
                return true;
            }
            pause = LONGEST_PAUSE.min(2 * pause);
        }
        let skips = (self.skipped.load(Ordering::Relaxed) * 2 + 1).min(MOST_SKIPPED);
        self.skipped.store(skips, Ordering::Relaxed);
        self.skips.store(skips, Ordering::Relaxed);
        false
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Looks until the look with the number `at`, and returns how often it has looked.
    fn looks_until(patience: &Patience, at: u32) -> u32 {
        let looks = Cell::new(0);
        let found = patience.look(|| {
            looks.set(looks.get() + 1);
            looks.get() == at
        });
        assert_eq!(found, looks.get() == at);
        looks.get()
    }

    #[test]
    fn a_call_looks_until_it_finds_something() {
        let patience = Patience::new();
        for at in (1..=LOOKS).chain([1]) {
            assert_eq!(looks_until(&patience, at), at);
        }
    }

    #[test]
    fn futile_looks_become_rare_and_a_find_makes_them_frequent_again() {
        let patience = Patience::new();
        let never = LOOKS + 1;
        let calls = |n: usize| (0..n).filter(|_| looks_until(&patience, never) != 0).count();
        // After 1, 3, 7, 15, 31 and then always 63 calls that did not look.
        assert_eq!([calls(1), calls(2), calls(4), calls(8), calls(16), calls(32)], [1; 6]);
        assert_eq!([calls(64), calls(64), calls(63)], [1, 1, 0]);
        assert_eq!(looks_until(&patience, 1), 1);
        assert_eq!([calls(1), calls(2)], [1, 1]);
    }
}
