//! Futures that become ready at a time.
//!
//! A future that a fiber polls has a timer of that fiber's scheduler; any other future has one of
//! the background reactor, which is a thread.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

#[cfg(feature = "net")]
use crate::reactor::background;
use crate::sched::core::scheduler::{CurrentFiber, try_current_fiber};
use crate::sched::futures::task_timers::TaskTimer;
use crate::sched::lowlevel::clock_now;

/// Returns a future that is ready after `duration`, counted from this call.
///
/// May be called anywhere, and the future may be polled anywhere: by fibers, for example by
/// [`block_on`](crate::future::block_on), and by the tasks of any executor. The time is that of the
/// caller's scheduler, and outside of fibers that of the system; the same holds for each poll.
/// Outside of fibers the task is woken by a thread of this crate, which the first such poll starts.
/// (That needs the feature `net`, which is on by default. Without it, a poll outside of a fiber
/// panics.)
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use futures_lite::FutureExt;
/// use fibra::future::{block_on, sleep};
///
/// fibra::run(|| {
///     let never = std::future::pending::<&str>();
///     let late = async {
///         sleep(Duration::from_millis(5)).await;
///         "too late"
///     };
///     assert_eq!(block_on(never.or(late)), "too late");
/// });
/// ```
pub fn sleep(duration: Duration) -> Sleep {
    Sleep { at: clock_now().checked_add(duration), timer: Mutex::new(None) }
}

/// Returns a future that is ready at `at`, by the clock of the scheduler whose fiber polls it: see
/// [`now`](crate::now). Outside of fibers it is the clock of the system, like for [`sleep`].
pub fn sleep_until(at: Instant) -> Sleep {
    Sleep { at: Some(at), timer: Mutex::new(None) }
}

/// A future that becomes ready at a time, returned by [`sleep`] and [`sleep_until`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fibra::future;
///
/// fibra::run(|| {
///     future::block_on(async {
///         future::sleep(Duration::from_millis(1)).await;
///     });
/// });
/// ```
///
/// In a task of another executor:
///
/// ```
/// use std::time::{Duration, Instant};
///
/// # #[cfg(feature = "net")] {
/// let start = Instant::now();
/// futures_lite::future::block_on(fibra::future::sleep(Duration::from_millis(1)));
/// assert!(Duration::from_millis(1) <= start.elapsed());
/// # }
/// ```
#[must_use = "futures do nothing unless they are polled"]
pub struct Sleep {
    /// The time at which it is ready, or `None` for a time beyond the range of the clock.
    at: Option<Instant>,
    /// The timer that wakes the task that has polled last.
    timer: Mutex<Option<Timer>>,
}

enum Timer {
    OfScheduler(TaskTimer),
    #[cfg(feature = "net")]
    OfBackground(background::Timer),
}

impl Sleep {
    fn poll_in_fiber(&mut self, at: Instant, current: CurrentFiber, waker: &Waker) -> Poll<()> {
        if at <= current.sched.time.clock.now() {
            return Poll::Ready(());
        }
        let serves =
            |timer: &Timer| matches!(timer, Timer::OfScheduler(it) if it.serves(current, waker));
        if !self.timer().as_ref().is_some_and(serves) {
            let timer = TaskTimer::arm(current, current.sched.micros_at(at), waker);
            *self.timer() = Some(Timer::OfScheduler(timer));
        }
        Poll::Pending
    }

    #[cfg(feature = "net")]
    fn poll_outside(&mut self, at: Instant, waker: &Waker) -> Poll<()> {
        if at <= clock_now() {
            return Poll::Ready(());
        }
        let serves = |timer: &Timer| matches!(timer, Timer::OfBackground(it) if it.serves(waker));
        if !self.timer().as_ref().is_some_and(serves) {
            match background::Timer::arm(at, waker) {
                Ok(timer) => *self.timer() = Some(Timer::OfBackground(timer)),
                Err(error) => panic!(
                    "cannot start the thread that ends a `future::sleep` outside of fibers: {error}"
                ),
            }
        }
        Poll::Pending
    }

    #[cfg(not(feature = "net"))]
    #[allow(clippy::unused_self, reason = "it has the interface of the other one")]
    fn poll_outside(&mut self, _: Instant, _: &Waker) -> Poll<()> {
        panic!(
            "a `future::sleep` was polled outside of a fiber, where it needs the feature `net` of \
             fibra: enable it, or poll the future in a fiber, for example with \
             `fibra::future::block_on`"
        )
    }

    fn timer(&mut self) -> &mut Option<Timer> {
        self.timer.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Future for Sleep {
    type Output = ();

    /// Returns `Ready` if the time has come; otherwise arms a timer for the waker of `cx`.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber if the thread that wakes tasks cannot be started.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else { return Poll::Pending };
        match try_current_fiber() {
            Some(current) => self.poll_in_fiber(at, current, cx.waker()),
            None => self.poll_outside(at, cx.waker()),
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("at", &self.at).finish_non_exhaustive()
    }
}
