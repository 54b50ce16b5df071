//! Intervals: waits whose spacing does not depend on how long the work between them takes.

use std::time::{Duration, Instant};

use crate::sched::core::park;

/// Creates an interval whose first tick is immediate, followed by one tick per `period`.
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
#[must_use = "an interval does nothing unless `tick` is called"]
#[track_caller]
#[doc(alias = "sleep")]
pub fn interval(period: Duration) -> Interval {
    interval_at(park::now(), period)
}

/// Creates an interval whose first tick is at `start`, followed by one tick per `period`.
///
/// # Panics
///
/// Panics if `period` is zero.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// fibra::run(|| {
///     let start = fibra::now() + Duration::from_millis(2);
///     let mut ticks = fibra::time::interval_at(start, Duration::from_millis(1));
///     assert_eq!(ticks.tick(), start);
/// });
/// ```
#[must_use = "an interval does nothing unless `tick` is called"]
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(!period.is_zero(), "the period of an interval must not be zero");
    Interval { period, next: start, missed_tick: MissedTick::Burst }
}

/// A series of ticks at regular times, created by [`interval`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fibra::time::{MissedTick, interval};
///
/// fibra::run(|| {
///     let mut ticks = interval(Duration::from_millis(2));
///     ticks.set_missed_tick(MissedTick::Skip);
///     for round in 0..3 {
///         let due = ticks.tick();
///         println!("round {round} was due at {due:?}");
///     }
/// });
/// ```
#[derive(Clone, Debug)]
pub struct Interval {
    period: Duration,
    next: Instant,
    missed_tick: MissedTick,
}

/// The behaviour of an [`Interval`] for ticks that were not waited for in time.
///
/// A tick is missed if its successor was due before it was requested. With a period of 10, and work
/// from 10 to 35:
///
/// | | ticks | returned at |
/// |---|---|---|
/// | `Burst` | 0, 10, 20, 30, 40, 50 | 0, 10, 35, 35, 40, 50 |
/// | `Delay` | 0, 10, 20, 45, 55, 65 | 0, 10, 35, 45, 55, 65 |
/// | `Skip` | 0, 10, 20, 40, 50, 60 | 0, 10, 35, 40, 50, 60 |
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fibra::time::{MissedTick, interval};
///
/// fibra::run(|| {
///     let mut ticks = interval(Duration::from_millis(10));
///     ticks.set_missed_tick(MissedTick::Delay);
///     ticks.tick();
///     assert_eq!(ticks.missed_tick(), MissedTick::Delay);
/// });
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum MissedTick {
    /// Missed ticks are returned one after another, until the series has caught up.
    #[default]
    Burst,
    /// The late tick is returned, and a new series begins at that moment.
    Delay,
    /// The late tick is returned, and then the next one that is still in the future.
    Skip,
}

impl Interval {
    /// Waits for the next tick, and returns the time at which it was due.
    ///
    /// A tick that is due already is returned after the other fibers that can run have run. A wait
    /// that is unwound by a kill or a time limit has not consumed its tick.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// fibra::run(|| {
    ///     let mut ticks = fibra::time::interval(Duration::from_millis(1));
    ///     let (first, second) = (ticks.tick(), ticks.tick());
    ///     assert_eq!(second - first, Duration::from_millis(1));
    /// });
    /// ```
    #[track_caller]
    pub fn tick(&mut self) -> Instant {
        let due = self.next;
        park::sleep_until(due);
        self.next = self.after(due, park::now());
        due
    }

    /// Restarts the series: the next tick is one period from now.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let runtime = fibra::Runtime::builder().virtual_clock().build()?;
    /// runtime.run(|| {
    ///     let period = Duration::from_secs(1);
    ///     let mut ticks = fibra::time::interval(period);
    ///     ticks.tick(); // immediately
    ///     fibra::sleep(Duration::from_millis(700));
    ///     ticks.reset();
    ///     assert_eq!(ticks.tick(), fibra::now()); // a second later, not 0.3 seconds
    /// });
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn reset(&mut self) {
        self.next = later(park::now(), self.period);
    }

    /// Sets the behaviour for missed ticks. The default is [`MissedTick::Burst`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::time::MissedTick;
    ///
    /// let runtime = fibra::Runtime::builder().virtual_clock().build()?;
    /// runtime.run(|| {
    ///     let mut ticks = fibra::time::interval(Duration::from_secs(1));
    ///     ticks.set_missed_tick(MissedTick::Skip);
    ///     let start = ticks.tick();
    ///     fibra::sleep(Duration::from_millis(3500)); // late for three ticks
    ///     ticks.tick(); // the first of them
    ///     assert_eq!(ticks.tick() - start, Duration::from_secs(4)); // the others are skipped
    /// });
    /// # std::io::Result::Ok(())
    /// ```
    pub fn set_missed_tick(&mut self, missed_tick: MissedTick) {
        self.missed_tick = missed_tick;
    }

    /// Returns the behaviour for missed ticks.
    #[must_use]
    pub fn missed_tick(&self) -> MissedTick {
        self.missed_tick
    }

    /// Returns the time between two ticks.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Returns the tick after the one that was due at `due` and is returned `now`.
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

    /// Returns the first tick after `now` in the series that `due` belongs to.
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

/// Returns `at + period`, or a time in the far future if that is not representable.
fn later(at: Instant, period: Duration) -> Instant {
    const THIRTY_YEARS: Duration = Duration::from_secs(30 * 365 * 24 * 3600);
    at.checked_add(period).unwrap_or_else(|| at + THIRTY_YEARS)
}
