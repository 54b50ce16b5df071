//! The time limit of a wait, in the form in which its caller gave it.
//!
//! Invariant: a limit that the clock cannot show never ends a wait.

use std::time::{Duration, Instant};

use crate::sched::core::deadline::deadline_after;
use crate::sched::core::scheduler::{CurrentFiber, try_current_fiber};
use crate::sched::time::clock::{Clock, RealClock};

/// The time limit of a wait: the difference between `x`, `x_timeout` and `x_deadline`.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Limit {
    None,
    /// The wait may last this long from the call of [`micros`](Limit::micros) or
    /// [`instant`](Limit::instant).
    After(Duration),
    /// The wait may last until this instant of the caller's clock.
    At(Instant),
}

impl Limit {
    /// Returns the deadline of a wait of the running fiber, in its scheduler's microseconds.
    #[inline(always)]
    pub(crate) fn micros(self, current: CurrentFiber) -> Option<u64> {
        match self {
            Limit::None => None,
            Limit::After(timeout) => Some(deadline_after(current, timeout)),
            Limit::At(at) => Some(current.sched.micros_at(at)),
        }
    }

    /// Returns the deadline of a wait of the caller, which may be a plain thread, by its clock.
    pub(crate) fn instant(self) -> Option<Instant> {
        match self {
            Limit::None => None,
            Limit::After(timeout) => clock_now().checked_add(timeout),
            Limit::At(at) => Some(at),
        }
    }

    /// Returns how long a wait that begins now may last.
    #[cfg(feature = "net")]
    pub(crate) fn left(self) -> Option<Duration> {
        match self {
            Limit::None => None,
            Limit::After(timeout) => Some(timeout),
            Limit::At(at) => Some(at.saturating_duration_since(clock_now())),
        }
    }

    /// Returns this limit as an instant of the caller's clock, for several waits in a row.
    pub(crate) fn fixed(self) -> Limit {
        self.instant().map_or(Limit::None, Limit::At)
    }
}

/// Returns the time of the caller's clock: that of its scheduler, or on a plain thread the
/// system's.
pub(crate) fn clock_now() -> Instant {
    try_current_fiber().map_or_else(|| RealClock.now(), |current| current.sched.time.clock.now())
}
