//! The deadline of one wait.
//!
//! Invariants:
//! - A fiber has at most one armed deadline. It is armed directly around the wait, so that no user
//!   code (for example the destructor of a value that could not be sent) runs while it exists,
//!   except for that of [contexts](crate::fiber::carried), for which it is put aside.

use std::time::Duration;

use crate::collections::timing_wheel::TimerKey;
use crate::fiber::header::FiberPtr;
use crate::fiber::state::Signals;
use crate::sched::core::scheduler::{CurrentFiber, current_fiber};
use crate::sched::time::alarm::Alarm;
use crate::sched::time::timers::NEVER;

/// Returns the deadline `timeout` from now, in the scheduler's microseconds.
pub(crate) fn deadline_after(current: CurrentFiber, timeout: Duration) -> u64 {
    let now = current.sched.time.clock.now();
    match now.checked_add(timeout) {
        Some(at) => current.sched.micros_at(at),
        None => NEVER,
    }
}

/// An armed deadline of the running fiber's next wait; disarmed when dropped. A deadline that never
/// comes arms nothing.
#[derive(Debug)]
pub(crate) struct Deadline(FiberPtr);

impl Deadline {
    pub(crate) fn arm(current: CurrentFiber, at: u64) -> Deadline {
        let CurrentFiber { fiber, sched } = current;
        // Checked in release builds too: the wheel would keep the address of a fiber that may be
        // freed.
        assert!(fiber.timer.get() == TimerKey::NONE, "a wait has at most one deadline");
        fiber.timer.set(sched.time.arm(at, Alarm::of_wait(fiber)));
        Deadline(fiber)
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        current_fiber().sched.time.disarm(self.0.timer.replace(TimerKey::NONE));
        self.0.signals.set(self.0.signals.get().without(Signals::TIMEOUT));
    }
}
