//! A value that one side sets later and that any number of fibers and threads wait for.
//!
//! Invariant: the event is set after the value was stored, or when it will never be stored.

use std::error::Error;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::sched::lowlevel::{Deadlock, Interrupt, Limit, OnDeadlock, WaitReason};
use crate::sync::event::Event;
use crate::sync::futures::EventFuture;

static WAITING: WaitReason =
    WaitReason::new("waiting for a promise", OnDeadlock::Fail).ended_by_outsiders();

/// Creates a promise, and a handle with which to wait for its value.
///
/// Unlike with a [`oneshot`](crate::sync::oneshot()), any number may wait; they share the value.
///
/// # Examples
///
/// ```
/// use fibra::sync::{PromiseError, promise};
///
/// fibra::run(|| {
///     let (promise, promised) = promise();
///     let waiting: Vec<_> = (0..3)
///         .map(|_| {
///             let promised = promised.clone();
///             fibra::spawn(move || promised.wait().map(String::len).unwrap())
///         })
///         .collect();
///     std::thread::spawn(|| promise.set(String::from("here it is")));
///     waiting.into_iter().for_each(|fiber| assert_eq!(fiber.join().unwrap(), 10));
///
///     let (broken, promised) = fibra::sync::promise::<u32>();
///     drop(broken);
///     assert!(matches!(promised.wait(), Err(PromiseError::Broken)));
/// });
/// ```
pub fn promise<T>() -> (Promise<T>, Promised<T>) {
    let shared = Arc::new(Shared { over: Event::new(), value: OnceLock::new() });
    (Promise { shared: shared.clone() }, Promised { shared })
}

/// The side of a promise that [`set`](Self::set)s the value. Dropped without a value it is broken:
/// the waits for it fail with [`PromiseError::Broken`].
///
/// # Examples
///
/// ```
/// use fibra::sync::promise;
///
/// fibra::run(|| {
///     let (promise, promised) = promise();
///     let both = [promised.clone(), promised];
///     let readers = both.map(|promised| fibra::spawn(move || *promised.wait().unwrap()));
///     promise.set(42);
///     assert_eq!(readers.map(|reader| reader.join().unwrap()), [42, 42]);
/// });
/// ```
#[must_use = "a promise that is dropped is broken"]
pub struct Promise<T> {
    shared: Arc<Shared<T>>,
}

/// The side of a [`Promise`] that waits for the value. Clones wait for the same value.
///
/// # Examples
///
/// ```
/// use fibra::sync::promise;
///
/// let (promise, promised) = promise();
/// assert_eq!(promised.try_get(), Ok(None));
/// promise.set("done");
/// assert_eq!(promised.wait(), Ok(&"done"));
/// ```
pub struct Promised<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    over: Event,
    value: OnceLock<T>,
}

/// The error of a failed wait for a promise.
///
/// # Examples
///
/// ```
/// use fibra::sync::promise;
///
/// let (promise, promised) = promise::<u32>();
/// drop(promise); // broken: nothing can set it any more
/// assert!(promised.wait().unwrap_err().is_broken());
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PromiseError {
    /// The promise was dropped without a value.
    Broken,
    /// The time limit has passed.
    Timeout,
    /// Nothing can ever run again, so nothing will set the value.
    Deadlock(Box<Deadlock>),
    /// The fiber was killed. Happens only under `panic = "abort"`, where a kill cannot unwind.
    Killed,
}

impl<T> Promise<T> {
    /// Sets the value: all waits end with `value`, in the order in which they began.
    pub fn set(self, value: T) {
        let stored = self.shared.value.set(value);
        debug_assert!(stored.is_ok(), "a promise is kept once");
        // The drop of `self` sets the event.
    }

    /// Returns another handle that waits for the value.
    pub fn promised(&self) -> Promised<T> {
        Promised { shared: self.shared.clone() }
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        self.shared.over.set();
    }
}

impl<T> Promised<T> {
    /// Waits for the value.
    ///
    /// # Errors
    ///
    /// [`PromiseError::Broken`] if it will never come, [`PromiseError::Deadlock`] if nothing can
    /// ever run again.
    #[track_caller]
    pub fn wait(&self) -> Result<&T, PromiseError> {
        self.wait_because(Limit::None, &WAITING)
    }

    /// Waits for the value, no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Self::wait), and [`PromiseError::Timeout`].
    #[track_caller]
    pub fn wait_timeout(&self, timeout: Duration) -> Result<&T, PromiseError> {
        self.wait_because(Limit::After(timeout), &WAITING)
    }

    /// Waits for the value, no longer than until `at` by the clock of the caller.
    ///
    /// # Errors
    ///
    /// Those of [`wait_timeout`](Self::wait_timeout).
    #[track_caller]
    pub fn wait_deadline(&self, at: Instant) -> Result<&T, PromiseError> {
        self.wait_because(Limit::At(at), &WAITING)
    }

    /// Returns a future of the value: see [`sync::futures`](crate::sync::futures). The wait begins
    /// with the first poll. `(&promised).await` does the same.
    ///
    /// # Examples
    ///
    /// ```
    /// let (promise, promised) = fibra::sync::promise();
    /// std::thread::spawn(|| promise.set(42));
    /// assert_eq!(fibra::future::block_on(promised.wait_async()), Ok(&42));
    /// ```
    pub fn wait_async(&self) -> PromisedFuture<'_, T> {
        PromisedFuture { promised: self, wait: self.shared.over.wait_async() }
    }

    /// Returns the value, if it was set.
    ///
    /// # Errors
    ///
    /// [`PromiseError::Broken`] if it will never come.
    pub fn try_get(&self) -> Result<Option<&T>, PromiseError> {
        if self.shared.over.is_set() { self.outcome().map(Some) } else { Ok(None) }
    }

    /// Returns whether the value was set or the promise is broken.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.shared.over.is_set()
    }

    /// Returns whether both handles wait for the same value.
    #[cfg(feature = "net")]
    pub(crate) fn is(&self, other: &Promised<T>) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Returns the value itself, if it was set and this is the last handle.
    ///
    /// # Errors
    ///
    /// Returns the handle if not.
    pub fn try_into_inner(self) -> Result<T, Promised<T>> {
        let shared = Arc::try_unwrap(self.shared).map_err(|shared| Promised { shared })?;
        let Shared { over, value } = shared;
        let without = |over| Promised { shared: Arc::new(Shared { over, value: OnceLock::new() }) };
        value.into_inner().ok_or_else(|| without(over))
    }

    /// Waits for the value. Dumps and reports show `reason` for the wait.
    #[track_caller]
    pub(crate) fn wait_because(
        &self,
        limit: Limit,
        reason: &'static WaitReason,
    ) -> Result<&T, PromiseError> {
        if let Err(interrupt) = self.shared.over.wait_within(limit, reason) {
            return Err(match interrupt {
                Interrupt::TimedOut => PromiseError::Timeout,
                Interrupt::Deadlock(report) => PromiseError::Deadlock(report),
                Interrupt::Killed => PromiseError::Killed,
            });
        }
        self.outcome()
    }

    fn outcome(&self) -> Result<&T, PromiseError> {
        self.shared.value.get().ok_or(PromiseError::Broken)
    }
}

/// A future of the value of a [`Promise`], made by [`Promised::wait_async`].
#[must_use = "futures do nothing unless they are polled"]
pub struct PromisedFuture<'a, T> {
    promised: &'a Promised<T>,
    wait: EventFuture<'a>,
}

impl<'a, T> Future for PromisedFuture<'a, T> {
    type Output = Result<&'a T, PromiseError>;

    /// Returns the value, or [`PromiseError::Broken`] if it will never come.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(Pin::new(&mut self.wait).poll(cx));
        Poll::Ready(self.promised.outcome())
    }
}

impl<'a, T> IntoFuture for &'a Promised<T> {
    type Output = Result<&'a T, PromiseError>;
    type IntoFuture = PromisedFuture<'a, T>;

    fn into_future(self) -> PromisedFuture<'a, T> {
        self.wait_async()
    }
}

impl<T> fmt::Debug for PromisedFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PromisedFuture(..)")
    }
}

impl<T> Clone for Promised<T> {
    fn clone(&self) -> Promised<T> {
        Promised { shared: self.shared.clone() }
    }
}

impl<T> fmt::Debug for Promise<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Promise").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Promised<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Promised").field("is_over", &self.is_over()).finish_non_exhaustive()
    }
}

impl fmt::Display for PromiseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PromiseError::Broken => f.write_str("the promise was dropped without a value"),
            PromiseError::Timeout => f.write_str("timed out while waiting for a promise"),
            PromiseError::Deadlock(report) => report.fmt(f),
            PromiseError::Killed => f.write_str("killed while waiting for a promise"),
        }
    }
}

impl PromiseError {
    /// Returns whether the promise was dropped without a value.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        matches!(self, PromiseError::Broken)
    }

    /// Returns whether the time limit has passed.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, PromiseError::Timeout)
    }

    /// Returns whether the wait completed a deadlock.
    #[must_use]
    pub fn is_deadlock(&self) -> bool {
        matches!(self, PromiseError::Deadlock(..))
    }

    /// Returns whether the caller was killed: only under `panic = "abort"`.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        matches!(self, PromiseError::Killed)
    }
}

impl Error for PromiseError {}
