//! Operations of futures: they try, and are woken to try again.
//!
//! A future that a fiber polls waits at the reactor of that fiber's scheduler; any other future
//! waits at the [`background`].
//!
//! Invariants:
//! - A future does not overtake fibers in the queue: it tries only when the queue is empty.
//! - A future that gets `Pending` has stored its waker before, or has seen that the kernel owes an
//!   event.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use crate::reactor::background;
use crate::reactor::driver::Driver;
use crate::reactor::source::{Direction, Source, attempt, is_ready};
use crate::reactor::tasks::Polled;
use crate::sched::lowlevel::{CurrentFiber, scheduler, spend, try_current_fiber};

impl Source {
    /// Runs `op` on the non-blocking `fd`, if that is possible now; otherwise stores the waker of
    /// `cx`, which is woken when it may be. `drained` returns, from a result, whether the next call
    /// would block.
    #[track_caller]
    pub(crate) fn poll_io<T>(
        &self,
        cx: &mut Context<'_>,
        fd: BorrowedFd<'_>,
        direction: Direction,
        mut op: impl FnMut() -> io::Result<T>,
        drained: impl Fn(&T) -> bool,
    ) -> Poll<io::Result<T>> {
        let polled = Polled::Operation;
        match try_current_fiber() {
            Some(current) => {
                let asker = Asker { current, polled };
                self.poll_in_fiber(cx, asker, fd, direction, op, drained)
            }
            None => background::poll_io(self, cx, fd, direction, polled, &mut op),
        }
    }

    /// Returns `Ready` if an operation on `fd` would not block; otherwise stores the waker of `cx`
    /// for the future `id`, until [`Source::forget_future`] is called.
    #[track_caller]
    pub(crate) fn poll_ready(
        &self,
        cx: &mut Context<'_>,
        fd: BorrowedFd<'_>,
        direction: Direction,
        id: FutureId,
    ) -> Poll<io::Result<()>> {
        let polled = Polled::Future(id.0);
        let mut op = || match is_ready(fd, direction) {
            Ok(true) => Ok(()),
            Ok(false) => Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => Err(error),
        };
        match try_current_fiber() {
            Some(current) => {
                let asker = Asker { current, polled };
                self.poll_in_fiber(cx, asker, fd, direction, op, |()| false)
            }
            None => background::poll_io(self, cx, fd, direction, polled, &mut op),
        }
    }

    /// Removes the waker of the future `id`, which does not wait any more. (If a fiber of another
    /// thread has polled it, its waker stays there until the next event.)
    pub(crate) fn forget_future(&self, fd: BorrowedFd<'_>, direction: Direction, id: FutureId) {
        let polled = Polled::Future(id.0);
        let known = scheduler().and_then(|sched| Driver::of(&sched).find(fd, self.id));
        known.iter().for_each(|known| known.remove_task(direction, polled));
        background::forget_future(self, direction, polled);
    }

    #[track_caller]
    fn poll_in_fiber<T>(
        &self,
        cx: &mut Context<'_>,
        Asker { current, polled }: Asker,
        fd: BorrowedFd<'_>,
        direction: Direction,
        mut op: impl FnMut() -> io::Result<T>,
        drained: impl Fn(&T) -> bool,
    ) -> Poll<io::Result<T>> {
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
        registration.add_task(direction, current.fiber, polled, cx.waker());
        // If it has become ready in the meantime, no other event will wake the task.
        registration.wake_first(direction);
        driver.arm(fd, &registration)?;
        Poll::Pending
    }
}

/// The fiber that polls, and what it polls.
struct Asker {
    current: CurrentFiber,
    polled: Polled,
}

/// The identity of a future that waits for readiness. It is never reused.
#[derive(Copy, Clone, Debug)]
pub(crate) struct FutureId(u64);

impl FutureId {
    pub(crate) fn new() -> FutureId {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        FutureId(NEXT_ID.fetch_add(1, Ordering::Relaxed))
    }
}
