//! What time it is: the only file that reads the system's clock.

use std::cell::Cell;
use std::fmt;
use std::time::{Duration, Instant};

/// A source of time for one scheduler.
pub(crate) trait Clock: fmt::Debug {
    fn now(&self) -> Instant;

    /// Moves time on to `at` instead of waiting for it. Returns whether the clock can do that.
    fn jump_to(&self, at: Instant) -> bool;
}

/// The system's monotonic clock.
#[derive(Debug)]
pub(crate) struct RealClock;

impl Clock for RealClock {
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn jump_to(&self, _: Instant) -> bool {
        false
    }
}

/// A clock that stands still while anything can run, and jumps to the next deadline when
/// everything waits. A program takes its twelve hours in milliseconds, the same way every time.
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

    fn jump_to(&self, at: Instant) -> bool {
        let elapsed = at.saturating_duration_since(self.start);
        self.elapsed.set(self.elapsed.get().max(elapsed));
        true
    }
}
