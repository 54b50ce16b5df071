//! Repeating an operation that has failed.
//!
//! Invariants:
//! - `n` attempts are separated by `n - 1` waits: none before the first, none after the last.
//! - Only the calling fiber waits, in a plain sleep: a kill or an enclosing timeout ends it
//!   immediately.
//! - Every error is kept, in the order of the attempts.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::pool::backoff::Backoff;
use crate::sched::core::park;

/// The number and timing of attempts, and the errors after which another is made.
///
/// # Examples
///
/// ```
/// use fibra::pool::{Backoff, Retry};
/// use std::time::Duration;
///
/// # fibra::Runtime::builder().virtual_clock().build()?.run(|| {
/// let start = fibra::now();
/// let connect = || {
///     let up = Duration::from_secs(7) <= fibra::now() - start;
///     if up { Ok("connected") } else { Err("connection refused") }
/// };
/// let outcome = Retry::attempts(5)
///     .wait(Backoff::fixed(Duration::from_secs(3)))
///     .on(|error: &&str| error.contains("refused"))
///     .run(|_attempt| connect());
/// assert_eq!(outcome.unwrap(), "connected");
/// assert_eq!(fibra::now() - start, Duration::from_secs(9)); // at 0, 3, 6 and 9 s
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "no attempt is made before `run` is called"]
pub struct Retry<'a, E> {
    attempts: u32,
    wait: Backoff<'a>,
    within: Option<Duration>,
    on: Option<Box<Judge<'a, E>>>,
    before_sleep: Option<Box<Hook<'a, E>>>,
}

type Judge<'a, E> = dyn FnMut(&E) -> bool + 'a;
type Hook<'a, E> = dyn FnMut(u32, &E, Duration) + 'a;

/// The error of a retry: all attempts failed, or the last one failed permanently or too late.
///
/// # Examples
///
/// ```
/// use fibra::pool::{Retry, Stopped};
///
/// fibra::run(|| {
///     let failed = Retry::attempts(2).run(|n| Err::<(), _>(format!("attempt {n}"))).unwrap_err();
///     assert_eq!(failed.errors, ["attempt 1", "attempt 2"]);
///     assert_eq!(failed.stopped, Stopped::Attempts);
/// });
/// ```
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct RetryError<E> {
    /// The errors of the attempts, in their order. There is at least one.
    pub errors: Vec<E>,
    /// The reason why no further attempt was made.
    pub stopped: Stopped,
}

/// The reason why a [`Retry`] made no further attempt.
///
/// # Examples
///
/// ```
/// use fibra::pool::{Retry, Stopped};
///
/// fibra::run(|| {
///     let never_again = Retry::attempts(5).on(|_: &&str| false);
///     let failed = never_again.run(|_| Err::<(), _>("no such page")).unwrap_err();
///     assert_eq!((failed.errors.len(), failed.stopped), (1, Stopped::Permanent));
/// });
/// ```
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Stopped {
    /// All attempts were made.
    Attempts,
    /// The last error is not one after which another attempt is made.
    Permanent,
    /// The next attempt would have begun too late.
    OutOfTime,
}

impl<'a, E> Retry<'a, E> {
    /// Creates a retry of up to `attempts` attempts, without a wait between them.
    ///
    /// # Panics
    ///
    /// Panics if `attempts` is 0: there would be neither a value nor an error to return.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::pool::Retry;
    ///
    /// fibra::run(|| {
    ///     let failed = Retry::attempts(2).run(|attempt| Err::<(), _>(attempt));
    ///     assert_eq!(failed.unwrap_err().errors, [1, 2]); // one error per attempt
    /// });
    /// ```
    #[track_caller]
    pub fn attempts(attempts: u32) -> Retry<'a, E> {
        assert!(attempts != 0, "0 attempts give neither a value nor an error: make it at least 1");
        Retry { attempts, wait: Backoff::none(), within: None, on: None, before_sleep: None }
    }

    /// Sets the waits between attempts: a [`Backoff`] or a fixed [`Duration`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::pool::Retry;
    ///
    /// fibra::run(|| {
    ///     let start = fibra::now();
    ///     let retry = Retry::attempts(3).wait(Duration::from_millis(1));
    ///     let failed = retry.run(|_| Err::<(), _>("busy"));
    ///     assert!(failed.is_err());
    ///     assert!(fibra::now() - start >= Duration::from_millis(2)); // two waits
    /// });
    /// ```
    pub fn wait(self, wait: impl Into<Backoff<'a>>) -> Retry<'a, E> {
        Retry { wait: wait.into(), ..self }
    }

    /// Makes no attempt that would begin later than `time` after the first.
    ///
    /// This does not interrupt an attempt that has begun.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::pool::Retry;
    ///
    /// let runtime = fibra::Runtime::builder().virtual_clock().build()?;
    /// runtime.run(|| {
    ///     let retry = Retry::attempts(100).wait(Duration::from_secs(1));
    ///     let failed = retry.within(Duration::from_secs(3)).run(|_| Err::<(), _>("down"));
    ///     assert!(failed.unwrap_err().errors.len() < 100);
    /// });
    /// # std::io::Result::Ok(())
    /// ```
    pub fn within(self, time: Duration) -> Retry<'a, E> {
        Retry { within: Some(time), ..self }
    }

    /// Repeats only after errors for which `transient` returns true. By default, after all errors.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::pool::Retry;
    /// use std::io;
    ///
    /// fibra::run(|| {
    ///     let mut calls = 0;
    ///     let refused = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    ///     let failed = Retry::attempts(5).on(refused).run(|_| {
    ///         calls += 1;
    ///         Err::<(), _>(io::Error::from(io::ErrorKind::NotFound)) // permanent
    ///     });
    ///     assert!(failed.is_err());
    ///     assert_eq!(calls, 1);
    /// });
    /// ```
    pub fn on(self, transient: impl FnMut(&E) -> bool + 'a) -> Retry<'a, E> {
        Retry { on: Some(Box::new(transient)), ..self }
    }

    /// Calls `hook` before each wait, with the number of the failed attempt, its error, and the
    /// duration of the wait.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::pool::Retry;
    ///
    /// fibra::run(|| {
    ///     let outcome = Retry::attempts(2)
    ///         .wait(Duration::from_millis(1))
    ///         .before_sleep(|attempt, error, wait| {
    ///             println!("attempt {attempt} failed: {error}; the next one in {wait:?}");
    ///         })
    ///         .run(|attempt| if attempt == 1 { Err("busy") } else { Ok(attempt) });
    ///     assert_eq!(outcome.unwrap(), 2);
    /// });
    /// ```
    pub fn before_sleep(self, hook: impl FnMut(u32, &E, Duration) + 'a) -> Retry<'a, E> {
        Retry { before_sleep: Some(Box::new(hook)), ..self }
    }

    /// Calls `f` with the number of the attempt, counted from 1, until it succeeds.
    ///
    /// The waits are kill points, and an enclosing timeout ends them, like any sleep. A panic of
    /// `f` is not an error: it ends the attempts.
    ///
    /// # Errors
    ///
    /// Returns all errors, if no further attempt is made after a failed one.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber when it has to wait or [`within`](Retry::within) is set.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::pool::Retry;
    ///
    /// fibra::run(|| {
    ///     let answer = Retry::attempts(3).run(|n| if n < 3 { Err("too early") } else { Ok(n) });
    ///     assert_eq!(answer, Ok(3));
    /// });
    /// ```
    #[track_caller]
    pub fn run<T>(mut self, mut f: impl FnMut(u32) -> Result<T, E>) -> Result<T, RetryError<E>> {
        let end = self.within.and_then(|time| park::now().checked_add(time));
        let mut errors = Vec::new();
        for attempt in 1.. {
            let error = match f(attempt) {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let again = self.on.as_mut().is_none_or(|on| on(&error));
            errors.push(error);
            if !again {
                return Err(RetryError { errors, stopped: Stopped::Permanent });
            }
            if attempt == self.attempts {
                break;
            }
            let wait = self.wait.after(attempt);
            if end.is_some_and(|end| park::now().checked_add(wait).is_none_or(|next| end < next)) {
                return Err(RetryError { errors, stopped: Stopped::OutOfTime });
            }
            if let (Some(hook), Some(error)) = (&mut self.before_sleep, errors.last()) {
                hook(attempt, error, wait);
            }
            park::sleep(wait);
        }
        Err(RetryError { errors, stopped: Stopped::Attempts })
    }
}

impl<E> RetryError<E> {
    /// Returns the error of the last attempt.
    #[must_use]
    pub fn into_last(mut self) -> Option<E> {
        self.errors.pop()
    }
}

impl<E> fmt::Debug for Retry<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("attempts", &self.attempts)
            .field("wait", &self.wait)
            .field("within", &self.within)
            .finish_non_exhaustive()
    }
}

/// Shows the last error only, because there may have been many attempts.
impl<E: fmt::Debug> fmt::Debug for RetryError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryError")
            .field("attempts", &self.errors.len())
            .field("stopped", &self.stopped)
            .field("last", &self.errors.last())
            .finish()
    }
}

impl<E: fmt::Display> fmt::Display for RetryError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.errors.len();
        let attempts = if n == 1 { "attempt" } else { "attempts" };
        let why = match self.stopped {
            Stopped::Attempts => "all have failed",
            Stopped::Permanent => "the last error is permanent",
            Stopped::OutOfTime => "the time is over",
        };
        write!(f, "gave up after {n} {attempts} ({why})")?;
        self.errors.last().map_or(Ok(()), |last| write!(f, ": {last}"))
    }
}

impl<E: Error + 'static> Error for RetryError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.errors.last().map(|last| last as _)
    }
}
