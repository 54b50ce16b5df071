//! Spinning before a thread sleeps: a short wait for mail that costs no system call.
//!
//! A sleep and its end take ten microseconds or more, because the kernel stops and starts the
//! thread. Two schedulers that answer each other's messages would pay that for each message. So a
//! scheduler that has received mail lately first looks at its mailbox for a while.
//!
//! Invariants:
//! - A scheduler that receives no mail never spins: programs that only wait for timers or for the
//!   kernel use no processor time for it.
//! - A spin lasts [`LONGEST`] at most, and ends by the next deadline.
//! - Spins that find nothing become rare: after each of them the scheduler sleeps directly twice as
//!   often as before, up to [`MOST_SKIPPED`] times.

use std::cell::Cell;
use std::hint;
use std::thread;
use std::time::{Duration, Instant};

use crate::sched::time::clock::{Clock, RealClock};

/// The longest spin. A bit more than a partner needs to wake up (13 to 22 us on the machines where
/// this was measured), so that a partner that has just been woken still finds this thread awake;
/// then both stay awake.
pub(crate) const LONGEST: Duration = Duration::from_micros(30);

/// The time after the last mail in which a scheduler spins: a partner that has not answered for
/// three times as long as a spin may last is busy with something else.
const RECENT: Duration = Duration::from_micros(100);

/// The number of looks between two readings of the clock. They take about as long as one system
/// call.
const LOOKS: u32 = 32;

/// The number of readings of the clock after which the thread also offers its processor to others.
/// The partner may need that processor.
const ALONE: u32 = 2;

/// The most sleeps without a spin after a spin that found nothing.
const MOST_SKIPPED: u32 = 15;

/// The decision of one scheduler whether to spin.
#[derive(Debug)]
pub(crate) struct Spin {
    /// Whether mail was found since the last decision.
    mail_came: Cell<bool>,
    /// When that was, at the latest.
    last_mail: Cell<Option<Instant>>,
    /// The number of coming sleeps without a spin.
    skips: Cell<u32>,
    /// The number of sleeps that were skipped after the last spin that found nothing; 0 if the last
    /// one found something.
    skipped: Cell<u32>,
}

impl Spin {
    pub(crate) const fn new() -> Spin {
        Spin {
            mail_came: Cell::new(false),
            last_mail: Cell::new(None),
            skips: Cell::new(0),
            skipped: Cell::new(0),
        }
    }

    /// Notes that there was mail, or a job.
    #[inline]
    pub(crate) fn note_arrival(&self) {
        self.mail_came.set(true);
    }

    /// Looks until `found` returns `true` or it is not worth to look longer, at the latest until
    /// `until`. Returns the result of the last look. Calls `poll` now and then, which returns
    /// whether something else has happened that ends the spin.
    pub(crate) fn look(
        &self,
        until: Option<Instant>,
        found: impl Fn() -> bool,
        poll: impl Fn() -> bool,
    ) -> bool {
        // The first check is for those schedulers that receive no mail: they read no clock.
        if !self.mail_came.get() && self.last_mail.get().is_none() {
            return false;
        }
        let now = RealClock.now();
        if !self.is_worth_it(now) {
            return false;
        }
        let latest = now + LONGEST;
        let end = until.map_or(latest, |until| until.min(latest));
        for reading in 0.. {
            for _ in 0..LOOKS {
                if found() {
                    self.skipped.set(0);
                    return true;
                }
                hint::spin_loop();
            }
            if poll() {
                return true;
            }
            if end <= RealClock.now() {
                break;
            }
            if ALONE <= reading {
                thread::yield_now();
            }
        }
        let skips = (self.skipped.get() * 2 + 1).min(MOST_SKIPPED);
        self.skipped.set(skips);
        self.skips.set(skips);
        false
    }

    /// Returns whether mail came lately, and recent spins were not futile.
    fn is_worth_it(&self, now: Instant) -> bool {
        if self.mail_came.replace(false) {
            self.last_mail.set(Some(now));
        }
        let Some(last) = self.last_mail.get() else { return false };
        if RECENT < now.saturating_duration_since(last) {
            self.last_mail.set(None);
            return false;
        }
        let skips = self.skips.get();
        self.skips.set(skips.saturating_sub(1));
        skips == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks without success, and returns whether that took time.
    fn spins(spin: &Spin) -> bool {
        let looks = Cell::new(0);
        let found = || {
            looks.set(looks.get() + 1);
            false
        };
        assert!(!spin.look(None, found, || false));
        0 < looks.get()
    }

    #[test]
    fn a_scheduler_without_mail_never_looks() {
        let spin = Spin::new();
        assert!((0..10).all(|_| !spins(&spin)));
    }

    #[test]
    fn mail_leads_to_a_look_and_old_mail_does_not() {
        let spin = Spin::new();
        spin.note_arrival();
        assert!(spins(&spin));
        spin.skips.set(0);
        spin.last_mail.set(RealClock.now().checked_sub(RECENT * 2));
        assert!(!spins(&spin) && spin.last_mail.get().is_none());
    }

    #[test]
    fn futile_looks_become_rare_and_a_find_makes_them_frequent_again() {
        let spin = Spin::new();
        let mail_and_look = || {
            spin.note_arrival();
            spins(&spin)
        };
        let looks = (0..160).filter(|_| mail_and_look()).count();
        assert!((10..16).contains(&looks), "{looks} of 160");
        while spin.skips.get() != 0 {
            mail_and_look();
        }
        spin.note_arrival();
        assert!(spin.look(None, || true, || false));
        assert!(mail_and_look() && !mail_and_look() && mail_and_look());
    }

    #[test]
    fn a_look_ends_by_the_deadline_and_when_something_else_happens() {
        let spin = Spin::new();
        spin.note_arrival();
        let polls = Cell::new(0);
        let count = || {
            polls.set(polls.get() + 1);
            false
        };
        assert!(!spin.look(Some(RealClock.now()), || false, count));
        assert_eq!(polls.get(), 1);
        spin.skips.set(0);
        spin.note_arrival();
        assert!(spin.look(None, || false, || true));
    }
}
