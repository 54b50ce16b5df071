//! The detection of stalls of a runtime: times in which all schedulers sleep, as plain data.
//!
//! ```text
//!   a scheduler falls asleep: has it run a fiber since it last did? then a new time begins
//!     others are awake -------> it sleeps for as long as it likes
//!     it is the last one -----> it sleeps until the time is over, and looks
//!   a scheduler wakes up: all slept, and the time is over -- yes --> the stall is reported, once
//! ```
//!
//! Invariants:
//! - A scheduler that wakes up without running a fiber, for mail or for a look, does not end a
//!   stall. So a stall is reported once, although the report wakes all schedulers.
//! - If all schedulers sleep in a stall that was not reported, the one that fell asleep last wakes
//!   up when the time is over. The others have no reason to.

#![forbid(unsafe_code)]

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::collections::locked::locked;

/// The sleeps of the schedulers of one runtime.
#[derive(Debug)]
pub(crate) struct Stalls {
    after: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    asleep: usize,
    /// The number of switches of each scheduler when it last fell asleep.
    switches: Box<[u64]>,
    /// The time since when no scheduler has run a fiber, provided that all are asleep.
    since: Instant,
    reported: bool,
}

impl State {
    fn note(&mut self, index: usize, switches: u64, now: Instant) {
        if std::mem::replace(&mut self.switches[index], switches) != switches {
            self.since = now;
            self.reported = false;
        }
    }

    fn all_sleep(&self) -> bool {
        self.asleep == self.switches.len()
    }
}

impl Stalls {
    /// Creates the record of this number of schedulers, which are awake. A stall is reported
    /// `after` that time.
    pub(crate) fn new(schedulers: usize, after: Duration, now: Instant) -> Stalls {
        let switches = vec![0; schedulers].into();
        let state = State { asleep: 0, switches, since: now, reported: false };
        Stalls { after, state: Mutex::new(state) }
    }

    /// Returns the time after which a stall is reported.
    pub(crate) fn after(&self) -> Duration {
        self.after
    }

    /// Notes that the scheduler `index` falls asleep after this number of switches. Returns the
    /// time at which it must wake up to look for a stall, if it is the one that does.
    pub(crate) fn falls_asleep(
        &self,
        index: usize,
        switches: u64,
        now: Instant,
    ) -> Option<Instant> {
        let mut state = locked(&self.state);
        state.note(index, switches, now);
        state.asleep += 1;
        let looks = state.all_sleep() && !state.reported;
        if looks { state.since.checked_add(self.after) } else { None }
    }

    /// Notes that a scheduler wakes up. Returns whether it must report a stall.
    #[must_use]
    pub(crate) fn wakes_up(&self, now: Instant) -> bool {
        let mut state = locked(&self.state);
        let is_over = || state.since.checked_add(self.after).is_some_and(|end| end <= now);
        let reports = state.all_sleep() && !state.reported && is_over();
        state.reported |= reports;
        state.asleep -= 1;
        reports
    }

    /// Notes that a scheduler, which is awake, has ended: from now on it counts as asleep.
    pub(crate) fn ends(&self) {
        locked(&self.state).asleep += 1;
    }

    /// Returns whether the stall that was reported last still lasts, as far as the scheduler
    /// `index` can tell, which has made this number of switches.
    pub(crate) fn lasts(&self, index: usize, switches: u64, now: Instant) -> bool {
        let mut state = locked(&self.state);
        state.note(index, switches, now);
        state.reported
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sched::time::clock::{Clock, RealClock};

    /// Stalls of two schedulers that are reported after ten seconds.
    fn stalls() -> (Stalls, impl Fn(u64) -> Instant) {
        let start = RealClock.now();
        let at = move |seconds| start + Duration::from_secs(seconds);
        (Stalls::new(2, Duration::from_secs(10), start), at)
    }

    #[test]
    fn the_last_scheduler_that_falls_asleep_looks_and_reports_once() {
        let (stalls, at) = stalls();
        assert_eq!(stalls.falls_asleep(0, 5, at(1)), None);
        assert_eq!(stalls.falls_asleep(1, 5, at(3)), Some(at(13)));
        assert!(stalls.wakes_up(at(13)));
        // Both wake up for the report, and run nothing.
        assert!(stalls.lasts(0, 5, at(13)) && stalls.lasts(1, 5, at(13)));
        assert!(!stalls.wakes_up(at(13)));
        assert_eq!(stalls.falls_asleep(0, 5, at(14)), None);
        assert_eq!(stalls.falls_asleep(1, 5, at(14)), None);
    }

    #[test]
    fn a_wake_without_a_switch_does_not_begin_a_new_time() {
        let (stalls, at) = stalls();
        let _ = stalls.falls_asleep(0, 5, at(1));
        let _ = stalls.falls_asleep(1, 5, at(3));
        assert!(!stalls.wakes_up(at(9)), "too early");
        assert_eq!(stalls.falls_asleep(0, 5, at(9)), Some(at(13)));
        assert!(stalls.wakes_up(at(13)));
    }

    #[test]
    fn a_switch_ends_a_stall() {
        let (stalls, at) = stalls();
        let _ = stalls.falls_asleep(0, 5, at(1));
        let _ = stalls.falls_asleep(1, 5, at(3));
        assert!(!stalls.wakes_up(at(9)));
        assert_eq!(stalls.falls_asleep(0, 6, at(9)), Some(at(19)));
        assert!(stalls.wakes_up(at(19)));
        assert!(!stalls.lasts(1, 6, at(20)), "it has run a fiber since");
        assert!(!stalls.wakes_up(at(20)));
        assert_eq!(stalls.falls_asleep(1, 7, at(21)), None);
        assert_eq!(stalls.falls_asleep(0, 6, at(22)), Some(at(31)));
    }

    #[test]
    fn a_scheduler_that_has_ended_counts_as_asleep() {
        let (stalls, at) = stalls();
        stalls.ends();
        assert_eq!(stalls.falls_asleep(0, 5, at(1)), Some(at(11)));
        assert!(stalls.wakes_up(at(11)));
    }

    #[test]
    fn while_one_is_awake_none_looks() {
        let (stalls, at) = stalls();
        assert_eq!(stalls.falls_asleep(0, 1, at(1)), None);
        assert!(!stalls.wakes_up(at(99)));
        assert_eq!(stalls.falls_asleep(0, 1, at(99)), None);
        let never = Stalls::new(1, Duration::MAX, at(0));
        assert_eq!(never.falls_asleep(0, 1, at(1)), None);
        assert!(!never.wakes_up(at(99)));
    }
}
