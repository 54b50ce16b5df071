//! Ticks: waits whose distance does not depend on how long the work between them takes.

use std::time::{Duration, Instant};

use crate::sched::core::park;

/// Ticks, the first at once and then one each `period`.
///
/// # Panics
///
/// Panics if `period` is zero, and outside of a fiber.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// fibra::run(|| {
///     let mut ticks = fibra::time::interval(Duration::from_millis(2));
///     let first = ticks.tick();
///     fibra::sleep(Duration::from_micros(700)); // the work between two ticks
///     assert_eq!(ticks.tick() - first, Duration::from_millis(2));
/// });
/// ```
#[must_use = "an interval ticks only while somebody waits for its ticks"]
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    interval_at(park::now(), period)
}

/// Ticks, the first at `start` and then one each `period`.
///
/// # Panics
///
/// Panics if `period` is zero.
#[must_use = "an interval ticks only while somebody waits for its ticks"]
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(!period.is_zero(), "an interval needs a period that is not zero");
    Interval { period, next: start, missed_tick: MissedTick::Burst }
}

/// A series of ticks. Made by [`interval`].
#[derive(Clone, Debug)]
pub struct Interval {
    period: Duration,
    next: Instant,
    missed_tick: MissedTick,
}

/// What an [`Interval`] does about ticks that nobody waited for in time.
///
/// A tick is missed if its successor was due before it was asked for. With a period of 10, and work
/// from 10 to 35:
///
/// | | ticks | given at |
/// |---|---|---|
/// | `Burst` | 0, 10, 20, 30, 40, 50 | 0, 10, 35, 35, 40, 50 |
/// | `Delay` | 0, 10, 20, 45, 55, 65 | 0, 10, 35, 45, 55, 65 |
/// | `Skip` | 0, 10, 20, 40, 50, 60 | 0, 10, 35, 40, 50, 60 |
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum MissedTick {
    /// They are given one after another, until the series has caught up.
    #[default]
    Burst,
    /// The late tick is given, and from there a new series begins.
    Delay,
    /// The late tick is given, and then the next that is not over.
    Skip,
}

impl Interval {
    /// Waits for the next tick, and returns when it was due.
    ///
    /// One that is due already is given at the fiber's next turn. A wait that is unwound by a kill
    /// or a time limit has not used its tick up.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn tick(&mut self) -> Instant {
        let due = self.next;
        park::sleep_until(due);
        self.next = self.after(due, park::now());
        due
    }

    /// Begins anew: the next tick is one period from now.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn reset(&mut self) {
        self.next = later(park::now(), self.period);
    }

    /// Says what to do about ticks that are missed; [`MissedTick::Burst`] if nothing is said.
    pub fn set_missed_tick(&mut self, missed_tick: MissedTick) {
        self.missed_tick = missed_tick;
    }

    /// What is done about ticks that are missed.
    #[must_use]
    pub fn missed_tick(&self) -> MissedTick {
        self.missed_tick
    }

    /// The time between two ticks.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }

    /// The tick after the one that was due at `due` and is given `now`.
    fn after(&self, due: Instant, now: Instant) -> Instant {
        let next = later(due, self.period);
        if now < next {
            return next;
        }
        match self.missed_tick {
            MissedTick::Burst => next,
            MissedTick::Delay => later(now, self.period),
            MissedTick::Skip => self.first_after(now, due),
        }
    }

    /// The first tick after `now` in the series that `due` belongs to.
    fn first_after(&self, now: Instant, due: Instant) -> Instant {
        let into_period = now.saturating_duration_since(due).as_nanos() % self.period.as_nanos();
        // Less than a period, so its seconds fit.
        let into_period = Duration::new(
            u64::try_from(into_period / 1_000_000_000).unwrap_or(u64::MAX),
            (into_period % 1_000_000_000) as u32,
        );
        later(now, self.period - into_period)
    }
}

/// `at` and `period`, or a moment that nobody will see.
fn later(at: Instant, period: Duration) -> Instant {
    const THIRTY_YEARS: Duration = Duration::from_secs(30 * 365 * 24 * 3600);
    at.checked_add(period).unwrap_or_else(|| at + THIRTY_YEARS)
}
