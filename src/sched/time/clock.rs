//! Sources of time. Only this file reads the system's clock.

use std::cell::Cell;
use std::fmt;
use std::time::{Duration, Instant};

/// A source of time for one scheduler.
pub(crate) trait Clock: fmt::Debug {
    fn now(&self) -> Instant;

    /// Returns whether the clock can be advanced instead of waiting.
    fn can_jump(&self) -> bool;

    /// Advances the clock to `at`, if it can jump. It never goes back.
    fn jump_to(&self, at: Instant);
}

/// The system's monotonic clock.
#[derive(Debug)]
pub(crate) struct RealClock;

impl Clock for RealClock {
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn can_jump(&self) -> bool {
        false
    }

    fn jump_to(&self, _: Instant) {}
}

/// A clock that stands still while any fiber can run, and jumps to the next deadline when all
/// fibers wait. A program that sleeps for hours takes milliseconds, and runs the same way each
/// time.
#[derive(Debug)]
pub(crate) struct VirtualClock {
    start: Instant,
    elapsed: Cell<Duration>,
}

impl VirtualClock {
    pub(crate) fn new() -> VirtualClock {
        VirtualClock { start: RealClock.now(), elapsed: Cell::new(Duration::ZERO) }
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Instant {
        self.start + self.elapsed.get()
    }

    fn can_jump(&self) -> bool {
        true
    }

    fn jump_to(&self, at: Instant) {
        let elapsed = at.saturating_duration_since(self.start);
        self.elapsed.set(self.elapsed.get().max(elapsed));
    }
}
