//! Time as a future.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::sched::core::scheduler::current_fiber;
use crate::sched::futures::task_timers::TaskTimer;
use crate::sched::lowlevel::clock_now;

/// A future that is ready after `duration`, counted from now.
///
/// It may be made anywhere, and is polled by fibers only: by [`block_on`](crate::future::block_on).
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

/// A future that is ready at a moment, by the clock of the scheduler: see [`now`](crate::now).
pub fn sleep_until(at: Instant) -> Sleep {
    Sleep { at: Some(at), timer: Mutex::new(None) }
}

/// A future of time, made by [`sleep`] and [`sleep_until`].
#[must_use = "futures do nothing unless they are polled"]
pub struct Sleep {
    /// None is a moment that no clock will show.
    at: Option<Instant>,
    /// What wakes the one who has polled last.
    timer: Mutex<Option<TaskTimer>>,
}

impl Future for Sleep {
    type Output = ();

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
