//! The clock of one scheduler, and the timers that it drives.
//!
//! Invariants:
//! - Time is counted in microseconds since the scheduler was made. Deadlines are rounded up, so
//!   that no timer fires early.
//! - A timer of a future is in the wheel as long as its waker is in the table.

use std::cell::{Cell, RefCell};
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::collections::slot_table::SlotTable;
use crate::collections::timing_wheel::{TimerKey, TimingWheel};
use crate::fiber::cancel;
use crate::fiber::header::FiberPtr;
use crate::sched::time::alarm::Alarm;
use crate::sched::time::clock::Clock;

/// A deadline that never comes, because it is beyond the range of the clock.
pub(crate) const NEVER: u64 = u64::MAX;

/// The clock of a scheduler and its timers.
#[derive(Debug)]
pub(crate) struct Timers {
    /// The latest reading of the clock, in microseconds since `started`.
    pub(crate) now: Cell<u64>,
    wheel: RefCell<TimingWheel<Alarm>>,
    pub(crate) clock: Box<dyn Clock>,
    started: Instant,
    /// The timers of futures.
    pub(crate) of_tasks: RefCell<SlotTable<Armed>>,
}

/// An armed timer of a future.
#[derive(Debug)]
pub(crate) struct Armed {
    pub(crate) waker: Waker,
    pub(crate) timer: TimerKey,
}

impl Timers {
    pub(crate) fn new(clock: Box<dyn Clock>) -> Timers {
        Timers {
            now: Cell::new(0),
            wheel: RefCell::new(TimingWheel::new(0)),
            started: clock.now(),
            clock,
            of_tasks: RefCell::new(SlotTable::new()),
        }
    }

    /// Converts `at` to microseconds since the scheduler's start, rounded up.
    pub(crate) fn micros_at(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.started);
        // Does not use `as_nanos`: a 128-bit division takes as long as reading the clock.
        let rest = u64::from(since.subsec_nanos().div_ceil(1000));
        since.as_secs().saturating_mul(1_000_000).saturating_add(rest)
    }

    /// Reads the clock into `now`, and returns the time since the scheduler's start.
    pub(crate) fn read_clock(&self) -> Duration {
        let since = self.clock.now().saturating_duration_since(self.started);
        let micros = u64::from(since.subsec_micros());
        self.now.set(since.as_secs().saturating_mul(1_000_000).saturating_add(micros));
        since
    }

    /// Returns the time until `timer` fires, unless it is `TimerKey::NONE`.
    pub(crate) fn left(&self, timer: TimerKey) -> Option<Duration> {
        let at = (timer != TimerKey::NONE).then(|| self.wheel.borrow().tick_of(timer))?;
        Some(Duration::from_micros(at.saturating_sub(self.now.get())))
    }

    /// Returns the number of armed timers.
    pub(crate) fn armed(&self) -> usize {
        self.wheel.borrow().len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.wheel.borrow().is_empty()
    }

    /// Puts a timer that fires at `at` into the wheel, unless `at` is [`NEVER`]. (A clock that
    /// jumps would jump to that deadline, at the end of its range.)
    #[inline]
    pub(crate) fn arm(&self, at: u64, alarm: Alarm) -> TimerKey {
        if at == NEVER { TimerKey::NONE } else { self.wheel.borrow_mut().insert(at, alarm) }
    }

    /// Takes `timer` out of the wheel, unless it is `TimerKey::NONE`.
    #[inline]
    pub(crate) fn disarm(&self, timer: TimerKey) {
        if timer != TimerKey::NONE {
            self.wheel.borrow_mut().cancel(timer);
        }
    }

    /// Takes the timers of `fiber`, which will never run again, out of the wheel. (The timers of
    /// regions in its suspended generators stay, and have no effect when they fire.)
    #[cold]
    pub(crate) fn disarm_all(&self, fiber: FiberPtr) {
        self.disarm(fiber.timer.replace(TimerKey::NONE));
        cancel::take_timers(&fiber, |timer| self.disarm(timer));
    }

    /// Takes every timer whose deadline has passed out of the wheel, and calls `ring` with its
    /// alarm. `ring` must not arm or disarm a timer.
    pub(crate) fn fire(&self, ring: impl FnMut(Alarm)) {
        self.wheel.borrow_mut().advance(self.now.get(), ring);
    }

    /// Returns when to check the timers next, on the scheduler's clock.
    ///
    /// Finding the exact deadline takes a walk over a list. For a clock that cannot jump, a lower
    /// bound is enough: the scheduler wakes once more and checks again.
    pub(crate) fn next_look(&self) -> Option<Instant> {
        let wheel = self.wheel.borrow();
        let deadline =
            if self.clock.can_jump() { wheel.next_deadline() } else { wheel.next_cascade() };
        deadline.map(|at| self.instant_of(at))
    }

    /// Returns the time that is so many microseconds after the scheduler's start.
    pub(crate) fn instant_of(&self, micros: u64) -> Instant {
        self.started + Duration::from_micros(micros)
    }
}
