//! The operations that can be waited for together: their trait, and those that transfer no value.
//!
//! Invariant: [`Operation`] is sealed. A choice relies on what an arm does when it is tried, queued
//! and taken back, so only this crate may write one.

use std::fmt;
use std::time::{Duration, Instant};

use crate::fiber::exit::JoinError;
use crate::jobs::remote_handle::{RemoteHandle, RemoteJoinArm};
use crate::sched::api::join::{JoinArm, JoinHandle};
use crate::sched::core::choose::{Demands, Done};
use crate::sched::lowlevel::{Arm as LowArm, CurrentFiber, current_fiber, deadline_after};
use crate::select::choice::{Arm, Chooser};
use crate::sync::Event;
use crate::sync::event::EventArm;

/// One thing that can be waited for together with others.
///
/// Only this crate implements it: the functions of [this module](mod@crate::select) make
/// operations.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fibra::select::{self, Operation, Select};
///
/// fibra::run(|| {
///     fn wait<O: Operation>(operation: O) -> Option<O::Output> {
///         let mut select = Select::new();
///         select.add(operation, Some);
///         select.add(select::after(Duration::from_secs(1)), |()| None);
///         select.wait()
///     }
///
///     let mut handle = fibra::spawn(|| 42);
///     assert_eq!(wait(select::join(&mut handle)), Some(Ok(42)));
/// });
/// ```
pub trait Operation: sealed::Sealed {
    /// The result of the operation once it is done.
    type Output;

    /// Returns whether an attempt polls, and may run user code.
    #[doc(hidden)]
    #[inline(always)]
    fn is_polled(&self) -> bool {
        false
    }

    /// Does the operation, if it needs no wait. It must not be polled, and not be done before.
    #[doc(hidden)]
    fn try_now(&mut self, chooser: Chooser) -> Option<Self::Output>;

    /// Drops the operation, of which `arm` was not called. Overridden where that is less work.
    #[doc(hidden)]
    #[inline(always)]
    fn drop_unwaited(self)
    where
        Self: Sized,
    {
    }

    #[doc(hidden)]
    fn arm(&mut self) -> Arm<'_>;

    #[doc(hidden)]
    fn finish(self) -> Self::Output;
}

/// The operation of joining a fiber, made by [`join`].
pub struct JoinOp<'a, T>(JoinArm<'a, T>);

/// The operation of joining a job, made by [`join`].
pub struct RemoteJoinOp<'a, T>(RemoteJoinArm<'a, T>);

/// The operation of waiting for an event, made by [`wait`].
pub struct WaitOp<'a>(EventArm<'a>);

/// The operation of waiting for a time, made by [`after`] and [`at`].
#[derive(Debug)]
pub struct TimerOp {
    micros: u64,
}

/// Makes an operation that waits until a fiber or a job has ended and takes its output.
///
/// `handle` is a [`JoinHandle`] or a [`RemoteHandle`]. It remains usable, but has no output any
/// more once the operation is done.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let mut handle = fibra::spawn(|| 42);
///     let output = fibra::select! {
///         output = join(&mut handle) => output,
///     };
///     assert_eq!(output, Ok(42));
///
///     let mut job = fibra::Handle::current().spawn(|| 43);
///     fibra::select! {
///         output = join(&mut job) => assert_eq!(output, Ok(43)),
///         after(std::time::Duration::from_secs(60)) => panic!("too late"),
///     }
/// });
/// ```
pub fn join<H: Joinable>(handle: &mut H) -> H::Operation<'_> {
    handle.operation()
}

/// Something that [`join`] can wait for.
///
/// Only this crate implements it.
pub trait Joinable: sealed::Sealed {
    /// The operation of waiting for the end.
    type Operation<'a>: Operation
    where
        Self: 'a;

    #[doc(hidden)]
    fn operation(&mut self) -> Self::Operation<'_>;
}

impl<T> sealed::Sealed for JoinHandle<T> {}

impl<T> Joinable for JoinHandle<T> {
    type Operation<'a>
        = JoinOp<'a, T>
    where
        Self: 'a;

    fn operation(&mut self) -> JoinOp<'_, T> {
        JoinOp(self.arm())
    }
}

impl<T> sealed::Sealed for RemoteHandle<T> {}

impl<T> Joinable for RemoteHandle<T> {
    type Operation<'a>
        = RemoteJoinOp<'a, T>
    where
        Self: 'a;

    fn operation(&mut self) -> RemoteJoinOp<'_, T> {
        RemoteJoinOp(self.arm())
    }
}

/// Makes an operation that waits until `event` is set.
///
/// # Examples
///
/// ```
/// use fibra::sync::Event;
///
/// fibra::run(|| {
///     let event = Event::new();
///     event.set();
///     fibra::select! {
///         wait(event) => println!("it has happened"),
///     }
/// });
/// ```
pub fn wait(event: &Event) -> WaitOp<'_> {
    WaitOp(event.arm())
}

/// Makes an operation that waits until `duration` has passed, by the scheduler's clock.
///
/// The time is counted from this call.
///
/// # Panics
///
/// Panics outside of a fiber.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// fibra::run(|| {
///     fibra::select! {
///         after(Duration::from_millis(1)) => println!("the time is over"),
///     }
/// });
/// ```
#[track_caller]
#[must_use]
pub fn after(duration: Duration) -> TimerOp {
    TimerOp { micros: deadline_after(current_fiber(), duration) }
}

/// Makes an operation that waits until `instant`, by the scheduler's clock.
///
/// # Panics
///
/// Panics outside of a fiber.
#[track_caller]
#[must_use]
pub fn at(instant: Instant) -> TimerOp {
    TimerOp { micros: current_fiber().sched.micros_at(instant) }
}

/// Keeps other crates from implementing the traits of this module.
pub(crate) mod sealed {
    pub trait Sealed {}
}

impl<T> sealed::Sealed for JoinOp<'_, T> {}
impl<T> sealed::Sealed for RemoteJoinOp<'_, T> {}
impl sealed::Sealed for WaitOp<'_> {}
impl sealed::Sealed for TimerOp {}

impl<T> Operation for JoinOp<'_, T> {
    type Output = Result<T, JoinError>;

    fn try_now(&mut self, chooser: Chooser) -> Option<Result<T, JoinError>> {
        self.0.try_now(chooser.0)
    }

    fn arm(&mut self) -> Arm<'_> {
        Arm::new(&mut self.0)
    }

    fn finish(self) -> Result<T, JoinError> {
        self.0.finish(current_fiber())
    }
}

impl<T> Operation for RemoteJoinOp<'_, T> {
    type Output = Result<T, JoinError>;

    fn try_now(&mut self, _: Chooser) -> Option<Result<T, JoinError>> {
        self.0.try_now()
    }

    fn arm(&mut self) -> Arm<'_> {
        Arm::new(&mut self.0)
    }

    fn finish(self) -> Result<T, JoinError> {
        self.0.finish()
    }
}

impl Operation for WaitOp<'_> {
    type Output = ();

    fn try_now(&mut self, chooser: Chooser) -> Option<()> {
        self.0.attempt(chooser.0).then_some(())
    }

    fn arm(&mut self) -> Arm<'_> {
        Arm::new(&mut self.0)
    }

    fn finish(self) {}
}

impl Operation for TimerOp {
    type Output = ();

    fn try_now(&mut self, chooser: Chooser) -> Option<()> {
        self.attempt(chooser.0).then_some(())
    }

    fn arm(&mut self) -> Arm<'_> {
        Arm::new(self)
    }

    fn finish(self) {}
}

impl LowArm for TimerOp {
    fn attempt(&mut self, current: CurrentFiber) -> bool {
        self.micros <= current.sched.micros_at(current.sched.time.clock.now())
    }

    fn done(&self) -> Option<Done> {
        None
    }

    fn demands(&self) -> Demands {
        Demands::TIMED
    }

    fn deadline(&self) -> Option<u64> {
        Some(self.micros)
    }
}

impl fmt::Debug for WaitOp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WaitOp(..)")
    }
}

impl<T> fmt::Debug for RemoteJoinOp<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RemoteJoinOp(..)")
    }
}

impl<T> fmt::Debug for JoinOp<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinOp(..)")
    }
}
