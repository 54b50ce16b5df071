//! Operations of futures: they try, and are woken to try again.
//!
//! Invariants:
//! - A future does not overtake fibers in the queue: it tries only when the queue is empty.
//! - A future that gets `Pending` has stored its waker before, or has seen that the kernel owes an
//!   event.

use std::io;
use std::os::fd::BorrowedFd;
use std::task::{Context, Poll};

use crate::reactor::driver::Driver;
use crate::reactor::source::{Direction, Source, attempt};
use crate::sched::lowlevel::{current_fiber, spend};

impl Source {
    /// Runs `op` on the non-blocking `fd`, if that is possible now; otherwise stores the waker of
    /// `cx`, which is woken when it may be. `drained` returns, from a result, whether the next call
    /// would block.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub(crate) fn poll_io<T>(
        &self,
        cx: &mut Context<'_>,
        fd: BorrowedFd<'_>,
        direction: Direction,
        mut op: impl FnMut() -> io::Result<T>,
        drained: impl Fn(&T) -> bool,
    ) -> Poll<io::Result<T>> {
        let current = current_fiber();
        spend(current);
        let driver = Driver::of(&current.sched);
        let known = driver.find(fd, self.id);
        if known.as_ref().is_none_or(|known| known.is_free(direction)) {
            // An event that comes while `op` waits (if it does) must not be lost.
            let events = known.as_ref().map_or(0, |known| known.events());
            if let Some(result) = attempt(&mut op) {
                if let (Some(known), Ok(value)) = (&known, &result) {
                    if drained(value) {
                        known.drained(direction);
                    }
                }
                known.iter().for_each(|known| driver.arm_again(fd, known));
                return Poll::Ready(result);
            }
            known.iter().for_each(|known| known.clear_as_of(events, direction));
        }
        let registration = match known {
            Some(registration) => registration,
            None => self.register(driver, fd)?,
        };
        registration.add_task(direction, current.fiber, cx.waker());
        // If it has become ready in the meantime, no other event will wake the task.
        registration.wake_first(direction);
        driver.arm(fd, &registration)?;
        Poll::Pending
    }
}
