//! Time limits around code: the functions, and their error.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use crate::sched::core::region::{self, Limit};
use crate::sched::core::scheduler::{CurrentFiber, current_fiber};

/// Runs `f`, for no longer than `duration`.
///
/// When the time is over, `f` is unwound from the point where it waits, or at its next wait: its
/// destructors run, and this returns [`Elapsed`]. The [module](crate::time) has the rules. With a
/// limit of zero, `f` runs as far as it gets without waiting. A limit that is too long for the
/// clock is no limit.
///
/// If a time limit ends at the same moment as the limit of a wait inside it, the outer one takes
/// precedence: a sleep of 5 s inside a limit of 5 s is unwound.
///
/// The call may return later than the limit: destructors and shielded clean-up take time, and so do
/// the fibers of a [`nursery`](crate::nursery) inside, which are killed and waited for.
///
/// Where nothing can be unwound (under `panic = "abort"`) the waits inside that return a `Result`
/// fail with their error for a killed fiber, the others continue, and the value of `f` is returned.
///
/// # Errors
///
/// Returns [`Elapsed`] if the time limit has unwound `f`.
///
/// # Panics
///
/// Panics outside of a fiber, and propagates a panic of `f`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fibra::channel::Channel;
/// use fibra::time::timeout;
///
/// fibra::run(|| {
///     let orders = Channel::new();
///     let (kitchen, menu) = (orders.clone(), ["soup", "pie"]);
///     fibra::spawn(move || menu.into_iter().try_for_each(|dish| kitchen.send(dish)));
///     let three = timeout(Duration::from_millis(10), || [0; 3].map(|_| orders.recv().unwrap()));
///     assert!(three.is_err()); // there are only two
/// });
/// ```
#[inline]
#[track_caller]
#[doc(alias = "Timeout")]
pub fn timeout<T>(duration: Duration, f: impl FnOnce() -> T) -> Result<T, Elapsed> {
    let current = current_fiber();
    let now = current.sched.time.clock.now();
    run_until(current, now, now.checked_add(duration), f)
}

/// Runs `f`, but not beyond the time `at`. Otherwise like [`timeout`].
///
/// # Errors
///
/// Returns [`Elapsed`] if the time limit has unwound `f`.
///
/// # Panics
///
/// Panics outside of a fiber, and propagates a panic of `f`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fibra::time::{deadline, now};
///
/// fibra::run(|| {
///     let at = now() + Duration::from_millis(2);
///     let error = deadline(at, fibra::park).unwrap_err();
///     assert_eq!(error.deadline(), at);
///     assert!(at <= now());
/// });
/// ```
#[inline]
#[track_caller]
pub fn deadline<T>(at: Instant, f: impl FnOnce() -> T) -> Result<T, Elapsed> {
    let current = current_fiber();
    run_until(current, current.sched.time.clock.now(), Some(at), f)
}

/// Runs `f`, for no longer than `duration`, and returns `None` if it took longer.
///
/// This is [`timeout`] for code that does not treat running out of time as an error.
///
/// # Panics
///
/// Panics outside of a fiber, and propagates a panic of `f`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fibra::time::move_on_after;
///
/// fibra::run(|| {
///     let motto = move_on_after(Duration::from_millis(1), || {
///         fibra::park();
///         "carpe diem"
///     });
///     assert_eq!(motto, None);
/// });
/// ```
#[inline]
#[track_caller]
pub fn move_on_after<T>(duration: Duration, f: impl FnOnce() -> T) -> Option<T> {
    timeout(duration, f).ok()
}

#[inline]
fn run_until<T>(
    current: CurrentFiber,
    now: Instant,
    at: Option<Instant>,
    f: impl FnOnce() -> T,
) -> Result<T, Elapsed> {
    let limit = Limit::at(current, now, at);
    region::cancel_at(current, limit, f).ok_or_else(|| Elapsed { deadline: at.unwrap_or(now) })
}

/// The error of a time limit that was reached: it has unwound the code inside it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// fibra::run(|| {
///     let elapsed = fibra::time::timeout(Duration::from_millis(1), fibra::park).unwrap_err();
///     assert!(elapsed.deadline() <= fibra::now());
///     assert_eq!(std::io::Error::from(elapsed).kind(), std::io::ErrorKind::TimedOut);
/// });
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[doc(alias = "Timeout")]
pub struct Elapsed {
    deadline: Instant,
}

impl Elapsed {
    /// Returns the time of the limit, which is somewhat before the current time.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time limit was reached before the work was done")
    }
}

impl Error for Elapsed {}

/// Converts to an error of the kind [`TimedOut`](io::ErrorKind::TimedOut).
impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, elapsed)
    }
}
