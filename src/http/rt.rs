//! [`FiberExecutor`] and [`FiberTimer`]: the executor and the timer that hyper needs of a runtime.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use hyper::rt::{Executor, Timer};

use crate::future::{Sleep, block_on, sleep, sleep_until};
use crate::sched::api::spawn::spawn;
use crate::sched::lowlevel::clock_now;

/// An executor that runs each future in a fiber of its own.
///
/// # Examples
///
/// ```
/// use fibra::http::{FiberExecutor, hyper::rt::Executor};
///
/// fibra::run(|| {
///     let (answer, question) = fibra::sync::oneshot();
///     FiberExecutor.execute(async move { answer.send("run").unwrap() });
///     assert_eq!(question.recv().unwrap(), "run");
/// });
/// ```
#[derive(Copy, Clone, Debug, Default)]
pub struct FiberExecutor;

impl<F> Executor<F> for FiberExecutor
where
    F: Future + 'static,
    F::Output: 'static,
{
    /// # Panics
    ///
    /// Panics outside of a fiber.
    fn execute(&self, future: F) {
        drop(spawn(|| block_on(future)));
    }
}

/// A timer that uses the clock of the scheduler of the calling fiber, and outside of fibers that of
/// the system: see [`future::sleep`](crate::future::sleep).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fibra::http::{FiberTimer, hyper::rt::Timer};
///
/// fibra::run(|| fibra::future::block_on(FiberTimer.sleep(Duration::from_millis(1))));
/// ```
#[derive(Copy, Clone, Debug, Default)]
pub struct FiberTimer;

impl Timer for FiberTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(sleep(duration))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(sleep_until(deadline))
    }

    fn now(&self) -> Instant {
        clock_now()
    }
}

impl hyper::rt::Sleep for Sleep {}
