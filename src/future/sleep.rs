//! Futures that become ready at a time.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::sched::core::scheduler::current_fiber;
use crate::sched::futures::task_timers::TaskTimer;
use crate::sched::lowlevel::clock_now;

/// Returns a future that is ready after `duration`, counted from this call.
///
/// May be called anywhere. The future may be polled only by fibers, for example by
/// [`block_on`](crate::future::block_on), and panics elsewhere.
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
/// [`now`](crate::now).
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
#[must_use = "futures do nothing unless they are polled"]
pub struct Sleep {
    /// The time at which it is ready, or `None` for a time beyond the range of the clock.
    at: Option<Instant>,
    /// The timer that wakes the task that has polled last.
    timer: Mutex<Option<TaskTimer>>,
}

impl Future for Sleep {
    type Output = ();

    /// Returns `Ready` if the time has come; otherwise arms a timer for the waker of `cx`.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let current = current_fiber();
        let Some(at) = self.at else { return Poll::Pending };
        if at <= current.sched.time.clock.now() {
            return Poll::Ready(());
        }
        let timer = self.timer.get_mut().unwrap_or_else(PoisonError::into_inner);
        if !timer.as_ref().is_some_and(|timer| timer.serves(current, cx.waker())) {
            *timer = Some(TaskTimer::arm(current, current.sched.micros_at(at), cx.waker()));
        }
        Poll::Pending
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("at", &self.at).finish_non_exhaustive()
    }
}
