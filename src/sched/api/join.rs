//! Waiting for a fiber's end and taking its output.
//!
//! Invariants:
//! - The output is taken once: by `join`, or dropped with the handle, or dropped by the fiber.
//! - There is one handle per fiber, so at most one joiner.

#![allow(unsafe_code, reason = "reads the output of a type-erased fiber")]

use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::time::{Duration, Instant};

use crate::fiber::exit::JoinError;
use crate::fiber::header::FiberPtr;
use crate::fiber::state::{OnDeadlock, State, WaitReason};
use crate::fiber::task;
use crate::sched::api::handle::Fiber;
use crate::sched::core::choose::{Arm, Done};
use crate::sched::core::deadline::Deadline;
use crate::sched::core::end;
use crate::sched::core::interrupt::Interrupt;
use crate::sched::core::limit::Limit;
use crate::sched::core::park::wait_until;
use crate::sched::core::scheduler::{CurrentFiber, current_fiber};

static JOIN: WaitReason = WaitReason::new("waiting for a fiber to end", OnDeadlock::Fail);

/// The right to a fiber's output. Dropping it detaches the fiber: the fiber continues to run, and
/// drops its output itself.
///
/// If the fiber panics and no one joins it, the panic is reported on standard error, once.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let handle = fibra::spawn(|| 6 * 7);
///     assert_eq!(handle.join().unwrap(), 42);
/// });
/// ```
#[doc(alias = "Task")]
pub struct JoinHandle<T> {
    fiber: Fiber,
    /// Covariant in `T`: the handle only hands the output out, so shorter lifetimes are sound.
    output: PhantomData<T>,
}

impl<T> JoinHandle<T> {
    /// Creates the handle of `fiber`.
    ///
    /// # Safety
    ///
    /// `fiber` must have been allocated with the output type `T`, and have no other handle.
    #[inline(always)]
    pub(crate) unsafe fn new(fiber: FiberPtr) -> JoinHandle<T> {
        fiber.has_handle.set(true);
        JoinHandle { fiber: Fiber::new(fiber.to_ref()), output: PhantomData }
    }

    /// Waits until the fiber has ended, and returns the value that its closure returned.
    ///
    /// The wait is a kill point for the caller. A fiber that has already ended is joined without
    /// waiting, even after its `run` is over.
    ///
    /// # Errors
    ///
    /// Returns the reason why there is no value: the fiber panicked, was killed, was abandoned, got
    /// no stack, is the caller itself, or will never end; or its output was taken before.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber if the fiber has not ended.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     assert_eq!(fibra::spawn(|| "done").join(), Ok("done"));
    ///
    ///     let waits = fibra::spawn(fibra::park);
    ///     fibra::yield_now(); // it waits now
    ///     waits.kill();
    ///     assert!(waits.join().unwrap_err().is_killed());
    /// });
    /// ```
    #[inline(always)]
    #[track_caller]
    pub fn join(mut self) -> Result<T, JoinError> {
        self.wait()?;
        self.take()
    }

    /// Waits until the fiber has ended, and leaves its output in place. Returns immediately if the
    /// fiber has ended.
    ///
    /// # Errors
    ///
    /// Returns [`JoinError::Itself`], [`JoinError::Deadlock`] and [`JoinError::CallerKilled`] like
    /// [`join`](JoinHandle::join).
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber if the fiber has not ended.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let mut handle = fibra::spawn(|| 42);
    ///     handle.wait().unwrap();
    ///     assert!(handle.is_finished());
    ///     assert_eq!(handle.join(), Ok(42));
    /// });
    /// ```
    #[inline(always)]
    #[track_caller]
    pub fn wait(&mut self) -> Result<(), JoinError> {
        if self.is_finished() {
            return Ok(());
        }
        self.wait_for_end(None)
    }

    /// Joins the fiber like [`join`](JoinHandle::join), but waits no longer than `timeout`. Returns
    /// `None` if the fiber has not ended by then: it continues to run, and can be joined later.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`try_join`](JoinHandle::try_join) and of [`wait`](JoinHandle::wait).
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber if the fiber has not ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let runtime = fibra::Runtime::builder().virtual_clock().build()?;
    /// runtime.run(|| {
    ///     let mut slow = fibra::spawn(|| {
    ///         fibra::sleep(Duration::from_secs(3));
    ///         "done"
    ///     });
    ///     assert!(slow.join_timeout(Duration::from_secs(1)).is_none());
    ///     assert_eq!(slow.join_timeout(Duration::from_secs(10)).unwrap().unwrap(), "done");
    /// });
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn join_timeout(&mut self, timeout: Duration) -> Option<Result<T, JoinError>> {
        self.join_within(Limit::After(timeout))
    }

    /// Joins the fiber like [`join_timeout`](JoinHandle::join_timeout), but waits no longer than
    /// until `deadline`, by the clock of the caller's scheduler.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`join_timeout`](JoinHandle::join_timeout).
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber if the fiber has not ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// fibra::run(|| {
    ///     let mut fibers: Vec<_> = (0..3).map(|_| fibra::spawn(fibra::park)).collect();
    ///     let soon = fibra::now() + Duration::from_millis(1);
    ///     for fiber in &mut fibers {
    ///         assert!(fiber.join_deadline(soon).is_none()); // all of them in 1 ms
    ///     }
    /// });
    /// ```
    #[track_caller]
    pub fn join_deadline(&mut self, deadline: Instant) -> Option<Result<T, JoinError>> {
        self.join_within(Limit::At(deadline))
    }

    /// Takes the output if the fiber has ended, and returns `None` if it has not. Never waits.
    ///
    /// # Errors
    ///
    /// Returns the reason why an ended fiber has no output: it panicked, was killed, was abandoned
    /// or got no stack; or [`JoinError::Taken`] if the output was taken before.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let mut handle = fibra::spawn(|| 42);
    ///     assert_eq!(handle.try_join(), None); // it has not run yet
    ///     fibra::yield_now();
    ///     assert_eq!(handle.try_join(), Some(Ok(42)));
    /// });
    /// ```
    pub fn try_join(&mut self) -> Option<Result<T, JoinError>> {
        if !self.is_finished() {
            return None;
        }
        let record = self.fiber.record();
        let had_handle = record.has_handle.replace(false);
        // SAFETY: `new` was promised that the output has this type.
        let output = unsafe { task::take_output::<T>(record) };
        Some(output.unwrap_or_else(|| Err(missing(had_handle))).map_err(|error| *error))
    }

    /// Returns the fiber's end as one of several events to wait for.
    pub(crate) fn arm(&mut self) -> JoinArm<'_, T> {
        JoinArm { handle: self }
    }

    /// Detaches the fiber, which continues to run. This does the same as dropping the handle, and
    /// states the intent.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     fibra::spawn(|| println!("nothing waits for this fiber")).detach();
    ///     fibra::yield_now(); // it runs now; at the end of `run` it would be killed
    /// });
    /// ```
    pub fn detach(self) {
        drop(self);
    }

    /// Returns whether the fiber has ended, so that `join` would not wait.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let handle = fibra::spawn(|| ());
    ///     assert!(!handle.is_finished());
    ///     fibra::yield_now();
    ///     assert!(handle.is_finished());
    /// });
    /// ```
    #[must_use]
    #[inline]
    pub fn is_finished(&self) -> bool {
        self.fiber.is_finished()
    }

    /// Returns a handle to the fiber without the right to its output.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let handle = fibra::Builder::new().name("worker").spawn(fibra::park);
    ///     let fiber = handle.fiber().clone(); // may be kept, also when the handle is joined
    ///     assert_eq!(fiber.name().as_deref(), Some("worker"));
    ///     fiber.unpark();
    ///     handle.join().unwrap();
    /// });
    /// ```
    #[must_use]
    pub fn fiber(&self) -> &Fiber {
        &self.fiber
    }

    /// Asks the fiber to end, like [`Fiber::kill`].
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let handle = fibra::spawn(fibra::park);
    ///     fibra::yield_now(); // it waits now
    ///     handle.kill();
    ///     assert!(handle.join().unwrap_err().is_killed());
    /// });
    /// ```
    pub fn kill(&self) {
        self.fiber.kill();
    }

    #[track_caller]
    fn join_within(&mut self, limit: Limit) -> Option<Result<T, JoinError>> {
        if !self.is_finished() {
            if let Err(error) = self.wait_for_end(limit.micros(current_fiber())) {
                return Some(Err(error));
            }
        }
        self.try_join()
    }

    /// Waits until the fiber has ended or the deadline `by` has passed.
    #[inline(always)]
    #[track_caller]
    fn wait_for_end(&mut self, by: Option<u64>) -> Result<(), JoinError> {
        struct Waits(FiberPtr);
        impl Drop for Waits {
            fn drop(&mut self) {
                self.0.joiner.set(None);
            }
        }

        let current = current_fiber();
        let target = self.fiber.record();
        if current.fiber == target {
            return Err(JoinError::Itself);
        }
        target.joiner.set(Some(current.fiber));
        let waits = Waits(target);
        let ended = || matches!(target.state.get(), State::Finished | State::Abandoned);
        let waited = match by {
            None => wait_until(current, &JOIN, ended),
            Some(at) => {
                let _deadline = Deadline::arm(current, at);
                wait_until(current, &JOIN, ended)
            }
        };
        drop(waits);
        match waited {
            Ok(()) => Ok(()),
            Err(Interrupt::TimedOut) if by.is_some() => Ok(()),
            Err(interrupt) => Err(not_joined(interrupt)),
        }
    }

    #[inline(always)]
    fn take(self) -> Result<T, JoinError> {
        self.take_boxed().map_err(|error| *error)
    }

    /// Takes the output of the fiber, which has ended or was abandoned.
    #[inline(always)]
    pub(crate) fn take_boxed(self) -> Result<T, Box<JoinError>> {
        let this = ManuallyDrop::new(self);
        // SAFETY: the field is read once, and `this` is not dropped.
        let fiber = unsafe { std::ptr::read(&this.fiber) };
        let had_handle = fiber.record().has_handle.replace(false);
        // SAFETY: `new` was promised that the output has this type.
        let output = unsafe { task::take_output::<T>(fiber.record()) };
        output.unwrap_or_else(|| Err(missing(had_handle)))
    }
}

/// Returns the error of a join whose wait was interrupted; unwinds if that is no error of a join.
#[cold]
#[inline(never)]
#[track_caller]
fn not_joined(interrupt: Interrupt) -> JoinError {
    match interrupt {
        Interrupt::Deadlock(report) => JoinError::Deadlock(report),
        Interrupt::Killed => JoinError::CallerKilled,
        interrupt => interrupt.into_panic(),
    }
}

/// Returns the reason why a fiber that has ended has no output: the output was taken, or the fiber
/// was abandoned before it ever ran and still has its closure.
#[cold]
fn missing(had_handle: bool) -> Box<JoinError> {
    Box::new(if had_handle { JoinError::Abandoned } else { JoinError::Taken })
}

/// The end of a fiber, as one of several events to wait for.
pub(crate) struct JoinArm<'a, T> {
    handle: &'a mut JoinHandle<T>,
}

impl<T> JoinArm<'_, T> {
    /// Takes the output if the fiber has ended, and fails if the fiber is the caller.
    pub(crate) fn try_now(&mut self, current: CurrentFiber) -> Option<Result<T, JoinError>> {
        if self.handle.fiber.record() == current.fiber {
            return Some(Err(JoinError::Itself));
        }
        self.handle.try_join()
    }

    pub(crate) fn finish(self, current: CurrentFiber) -> Result<T, JoinError> {
        if self.handle.fiber.record() == current.fiber {
            return Err(JoinError::Itself);
        }
        self.handle.try_join().expect("the fiber has ended")
    }
}

impl<T> Arm for JoinArm<'_, T> {
    fn attempt(&mut self, current: CurrentFiber) -> bool {
        self.handle.is_finished() || self.handle.fiber.record() == current.fiber
    }

    fn begin(&self, current: CurrentFiber) {
        self.handle.fiber.record().joiner.set(Some(current.fiber));
    }

    fn end(&self) {
        self.handle.fiber.record().joiner.set(None);
    }

    fn done(&self) -> Option<Done> {
        self.handle.is_finished().then_some(Done::Happened)
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        let record = self.fiber.record();
        record.has_handle.set(false);
        if !self.is_finished() {
            return;
        }
        // SAFETY: `new` was promised that the output has this type.
        match unsafe { task::take_output::<T>(record) } {
            Some(Err(error)) => end::give_up_error(&record, *error),
            other => drop(other),
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("fiber", &self.fiber).finish_non_exhaustive()
    }
}
