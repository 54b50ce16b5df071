//! Regions of a fiber's stack with a time limit: when it has passed, they are cancelled, or stop
//! shielding if they are shields.
//!
//! ```text
//!   region ── f ── region ── f ── wait
//!     |              |<- the unwind of a cancellation, from a wait
//!     |              | is this region cancelled, and nothing further out? then it ends at this one
//!     |<-------------+ else it goes on
//! ```
//!
//! Invariants:
//! - A region lies on the stack where it was made and does not move while its timer is armed: the
//!   frame that holds it also holds the guard that disarms it.
//! - A region counts a reference to the record of its fiber. On a stack that is kept forever it
//!   may outlive the fiber, and so may its timer.

use std::panic::{self, AssertUnwindSafe};
use std::time::Instant;

use crate::collections::timing_wheel::TimerKey;
use crate::fiber::cancel::{self, CancelScope};
use crate::fiber::exit;
use crate::sched::core::park;
use crate::sched::core::scheduler::CurrentFiber;
use crate::sched::core::unwinding;
use crate::sched::time::alarm::{Alarm, Region};

/// The time limit of a region.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Limit {
    /// The region has no limit that a clock can reach.
    Never,
    /// The limit has passed when the region begins.
    Over,
    /// The limit in the scheduler's microseconds.
    At(u64),
}

impl Limit {
    /// Returns the limit of a region that begins at `now` and lasts until `at`. `None` stands for a
    /// time that is too far away for an `Instant`.
    pub(crate) fn at(current: CurrentFiber, now: Instant, at: Option<Instant>) -> Limit {
        match at {
            None => Limit::Never,
            Some(at) if at <= now => Limit::Over,
            Some(at) => match current.sched.micros_at(at) {
                u64::MAX => Limit::Never,
                at => Limit::At(at),
            },
        }
    }
}

/// Runs `f`, and unwinds it from its waits when the limit has passed. Returns `None` if that has
/// ended it.
///
/// If something further out is cancelled as well when the unwind arrives at this region, the unwind
/// goes on.
#[inline]
pub(crate) fn cancel_at<T>(
    current: CurrentFiber,
    limit: Limit,
    f: impl FnOnce() -> T,
) -> Option<T> {
    let region = Region::new(current.fiber.to_ref(), CancelScope::cancellable());
    if unwinding::thread_unwinds() {
        region.scope.enter_in_unwind();
    }
    let caught = {
        let _armed = Armed::arm(current, &region, limit);
        panic::catch_unwind(AssertUnwindSafe(|| region.run(f)))
    };
    caught.map_or_else(|payload| unwound(current, &region, limit, payload), Some)
}

/// Runs `f` in a shield, which holds off kills until the limit.
pub(crate) fn shield_until<T>(current: CurrentFiber, limit: Limit, f: impl FnOnce() -> T) -> T {
    let region = Region::new(current.fiber.to_ref(), CancelScope::shield());
    let _armed = Armed::arm(current, &region, limit);
    region.run(f)
}

#[cold]
#[inline(never)]
fn unwound<T>(
    current: CurrentFiber,
    region: &Region,
    limit: Limit,
    payload: Box<dyn std::any::Any + Send>,
) -> Option<T> {
    // Nothing may be raised out of a destructor that runs because of an unwind. A cancellation
    // further out takes effect when that unwind goes on.
    let ends_here = region.scope.is_in_unwind()
        && region.scope.is_cancelled()
        && exit::is_cancellation(&*payload);
    if !ends_here && !cancel::ends_at(&region.scope, &current.fiber, &*payload) {
        panic::resume_unwind(payload);
    }
    if let Limit::Over = limit {
        // The fiber has not waited, because its first wait was interrupted. If it does this in a
        // loop, it must let others run.
        park::spend(current);
    }
    None
}

/// The armed time limit of a region; disarmed when dropped.
struct Armed<'a>(CurrentFiber, &'a Region);

impl Armed<'_> {
    #[inline]
    fn arm(current: CurrentFiber, region: &Region, limit: Limit) -> Armed<'_> {
        match limit {
            Limit::Never => {}
            Limit::Over => region.scope.time_is_up(&current.fiber),
            Limit::At(at) => {
                let timer = current.sched.time.arm(at, Alarm::of_region(region));
                region.scope.timer.set(timer);
            }
        }
        Armed(current, region)
    }
}

impl Drop for Armed<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.sched.time.disarm(self.1.scope.timer.replace(TimerKey::NONE));
    }
}
