//! The handle to a fiber of a scope.

use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use crate::fiber::exit::JoinError;
use crate::sched::api::handle::Fiber;
use crate::sched::api::join::JoinHandle;

/// The right to the output of a fiber of a scope. Dropping it detaches the fiber from the handle,
/// not from the scope.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let word = String::from("green");
///     fibra::scope(|s| {
///         let length = s.spawn(|| word.len());
///         assert_eq!(length.join(), Ok(5));
///     });
/// });
/// ```
pub struct ScopedJoinHandle<'scope, T> {
    handle: JoinHandle<T>,
    scope: PhantomData<&'scope ()>,
}

impl<T> ScopedJoinHandle<'_, T> {
    pub(super) fn new(handle: JoinHandle<T>) -> Self {
        ScopedJoinHandle { handle, scope: PhantomData }
    }

    /// Waits until the fiber has ended, and returns the value that its closure returned.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`JoinHandle::join`].
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber if the fiber has not ended.
    #[track_caller]
    pub fn join(self) -> Result<T, JoinError> {
        self.handle.join()
    }

    /// Waits for the fiber like [`JoinHandle::join_timeout`]: returns `None` if it has not ended
    /// when `timeout` is over, and the handle keeps its output.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`JoinHandle::join_timeout`].
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
    ///     fibra::scope(|s| {
    ///         let mut slow = s.spawn(fibra::park);
    ///         assert!(slow.join_timeout(Duration::from_millis(1)).is_none());
    ///         slow.kill();
    ///     });
    /// });
    /// ```
    #[track_caller]
    pub fn join_timeout(&mut self, timeout: Duration) -> Option<Result<T, JoinError>> {
        self.handle.join_timeout(timeout)
    }

    /// Joins the fiber like [`join_timeout`](ScopedJoinHandle::join_timeout), but waits no longer
    /// than until `deadline`, by the clock of the caller's scheduler.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`JoinHandle::join_timeout`].
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber if the fiber has not ended.
    #[track_caller]
    pub fn join_deadline(&mut self, deadline: Instant) -> Option<Result<T, JoinError>> {
        self.handle.join_deadline(deadline)
    }

    /// Takes the output if the fiber has ended, and returns `None` if it has not. Never waits.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`JoinHandle::try_join`].
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     fibra::scope(|s| {
    ///         let mut handle = s.spawn(|| 42);
    ///         assert_eq!(handle.try_join(), None); // it has not run yet
    ///         fibra::yield_now();
    ///         assert_eq!(handle.try_join(), Some(Ok(42)));
    ///     });
    /// });
    /// ```
    pub fn try_join(&mut self) -> Option<Result<T, JoinError>> {
        self.handle.try_join()
    }

    /// Returns whether the fiber has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }

    /// Returns a handle to the fiber without the right to its output.
    #[must_use]
    pub fn fiber(&self) -> &Fiber {
        self.handle.fiber()
    }

    /// Asks the fiber to end, like [`Fiber::kill`].
    pub fn kill(&self) {
        self.handle.kill();
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ScopedJoinHandle").field(self.fiber()).finish()
    }
}
