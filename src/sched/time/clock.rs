//! What time it is: the only file that reads the system's clock.

use std::cell::Cell;
use std::fmt;
use std::time::{Duration, Instant};

/// A source of time for one scheduler.
pub(crate) trait Clock: fmt::Debug {
    fn now(&self) -> Instant;

    /// Whether time can be moved on instead of waited for.
    fn can_jump(&self) -> bool;

    /// Moves time on to `at`, if the clock can do that.
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

    fn can_jump(&self) -> bool {
        true
    }

    fn jump_to(&self, at: Instant) {
        let elapsed = at.saturating_duration_since(self.start);
        self.elapsed.set(self.elapsed.get().max(elapsed));
    }
}
