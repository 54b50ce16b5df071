//! The time for which a scheduler has made no switch, as plain data.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

/// The last looks at one scheduler.
#[derive(Debug, Default)]
pub(super) struct Hold {
    /// The number of switches at the last look.
    switches: u64,
    /// When that number was first seen, unless the thread slept at the last look.
    since: Option<Instant>,
    reported: bool,
}

impl Hold {
    /// Notes that the thread sleeps.
    pub(super) fn sleeps(&mut self) {
        self.since = None;
    }

    /// Begins again: the time that has passed tells nothing about the scheduler.
    pub(super) fn forgive(&mut self, now: Instant) {
        self.since = self.since.map(|_| now);
    }

    /// Notes the number of switches of a thread that is awake. Returns for how long it has been the
    /// same, if that is at least `limit` and was not reported so far.
    pub(super) fn look(
        &mut self,
        switches: u64,
        now: Instant,
        limit: Duration,
    ) -> Option<Duration> {
        let since = self.since.filter(|_| self.switches == switches);
        let Some(since) = since else {
            *self = Hold { switches, since: Some(now), reported: false };
            return None;
        };
        let held = now.saturating_duration_since(since);
        (!self.reported && limit <= held).then_some(held)
    }

    /// Notes that the hold was reported.
    pub(super) fn reported(&mut self) {
        self.reported = true;
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sched::time::clock::{Clock, RealClock};

    const LIMIT: Duration = Duration::from_millis(100);

    fn times() -> impl Fn(u64) -> Instant {
        let start = RealClock.now();
        move |millis| start + Duration::from_millis(millis)
    }

    #[test]
    fn a_hold_is_due_after_the_limit_and_once() {
        let (mut hold, at) = (Hold::default(), times());
        assert_eq!(hold.look(7, at(0), LIMIT), None);
        assert_eq!(hold.look(7, at(75), LIMIT), None);
        assert_eq!(hold.look(7, at(100), LIMIT), Some(LIMIT));
        hold.reported();
        assert_eq!(hold.look(7, at(900), LIMIT), None);
        assert_eq!(hold.look(8, at(1000), LIMIT), None);
        assert_eq!(hold.look(8, at(1100), LIMIT), Some(LIMIT));
    }

    #[test]
    fn a_switch_or_a_sleep_begins_a_new_time() {
        let (mut hold, at) = (Hold::default(), times());
        assert_eq!(hold.look(7, at(0), LIMIT), None);
        assert_eq!(hold.look(8, at(90), LIMIT), None);
        assert_eq!(hold.look(8, at(180), LIMIT), None);
        hold.sleeps();
        assert_eq!(hold.look(8, at(300), LIMIT), None, "it may have woken just now");
        assert_eq!(hold.look(8, at(400), LIMIT), Some(LIMIT));
    }

    #[test]
    fn time_in_which_nothing_ran_does_not_count() {
        let (mut hold, at) = (Hold::default(), times());
        assert_eq!(hold.look(7, at(0), LIMIT), None);
        hold.forgive(at(5_000));
        assert_eq!(hold.look(7, at(5_000), LIMIT), None);
        assert_eq!(hold.look(7, at(5_100), LIMIT), Some(LIMIT));
        hold.sleeps();
        hold.forgive(at(6_000));
        assert_eq!(hold.look(7, at(6_200), LIMIT), None, "it slept");
    }
}
