//! A pool of values that live on threads of their own: its public interface.
//!
//! Invariant: a value is made on demand, by a call that finds no idle thread, and there are never
//! more values than the limit of the pool.

use std::error::Error;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::offload::owned::error::OwnedError;
use crate::offload::owned::keepers::Keepers;
use crate::offload::owned::pool_builder::OwnedPoolBuilder;
use crate::sched::lowlevel::Limit;

/// A pool of values that each live on a thread of their own, such as connections to a database.
///
/// Values are made when calls need them, up to a maximum. A [`call`](Self::call) gets any value
/// that is free; if none is, it waits. Calls that wait get values in the order in which they were
/// made. What [`Owned`](crate::blocking::Owned) documents of one value holds for each value here:
/// it is made, used and dropped on its thread, a caller may leave a call, and a value is replaced
/// after a call that panicked.
///
/// Clones are handles to the same pool. When the last one is dropped, queued calls run, and the
/// threads drop their values and end; [`close`](Self::close) waits for that.
///
/// # Examples
///
/// ```
/// use fibra::blocking::OwnedPool;
/// use std::io;
///
/// # struct Connection;
/// # impl Connection {
/// #     fn open() -> io::Result<Connection> { Ok(Connection) }
/// #     fn query(&mut self, n: u32) -> io::Result<u32> { Ok(n * n) }
/// # }
/// let connections = OwnedPool::new(4, Connection::open);
/// fibra::run(|| {
///     let queries: Vec<_> = (0..20)
///         .map(|n| {
///             let connections = connections.clone();
///             fibra::spawn(move || connections.call(move |c| c.query(n)).unwrap().unwrap())
///         })
///         .collect();
///     let sum: u32 = queries.into_iter().map(|query| query.join().unwrap()).sum();
///     assert_eq!(sum, 2470);
///     assert!(connections.stats().size <= 4);
/// });
/// ```
#[doc(alias("r2d2", "connection_pool"))]
pub struct OwnedPool<T: 'static> {
    keepers: Arc<Keepers<T>>,
}

/// The numbers of values and calls of an [`OwnedPool`], at one moment.
///
/// # Examples
///
/// ```
/// let pool = fibra::blocking::OwnedPool::new(2, || std::io::Result::Ok(7));
/// assert_eq!(pool.stats().size, 0);
/// pool.call(|n| *n).unwrap();
/// let stats = pool.stats();
/// assert_eq!((stats.size, stats.idle, stats.calls, stats.replaced), (1, 1, 1, 0));
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct OwnedPoolStats {
    /// Number of threads, each with its value, or about to make or drop one.
    pub size: usize,
    /// The limit of `size`.
    pub max: usize,
    /// Number of threads that wait for a call.
    pub idle: usize,
    /// Number of calls that are running.
    pub running: usize,
    /// Number of calls that wait for a value. A call whose caller has left is counted until its
    /// turn comes.
    pub waiting: usize,
    /// Number of calls that have got a value so far.
    pub calls: u64,
    /// Number of values that could not be used again so far, and were or will be dropped: because
    /// of a panic, a check or an abandoned call.
    pub replaced: u64,
}

impl<T> OwnedPool<T> {
    /// Creates a pool of up to `max` values, with the defaults of [`OwnedPoolBuilder`] otherwise.
    /// It has none so far: `maker` makes each on its thread, when a call needs it.
    ///
    /// # Panics
    ///
    /// Panics if `max` is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::blocking::OwnedPool;
    ///
    /// let files = OwnedPool::new(2, || std::fs::File::open("/no/such/file"));
    /// assert!(files.call(|_| ()).unwrap_err().is_maker());
    /// ```
    #[track_caller]
    pub fn new<F, E>(max: usize, maker: F) -> OwnedPool<T>
    where
        F: Fn() -> Result<T, E> + Send + Sync + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        OwnedPoolBuilder::new().max(max).build(maker)
    }

    /// Returns a builder with default settings.
    pub fn builder() -> OwnedPoolBuilder<T> {
        OwnedPoolBuilder::new()
    }

    pub(super) fn of(keepers: Arc<Keepers<T>>) -> OwnedPool<T> {
        OwnedPool { keepers }
    }

    /// Calls `f` with any value that is free, on its thread, and returns the result of `f`. Waits
    /// for a free value, and for `f`.
    ///
    /// Do not call the pool from within a call: that returns [`OwnedError::Nested`].
    ///
    /// # Errors
    ///
    /// Returns an error if `f` was not called: the pool was closed, or a value could not be made.
    ///
    /// # Panics
    ///
    /// Propagates a panic of `f`, or of the maker.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::blocking::OwnedPool;
    ///
    /// let pool = OwnedPool::new(1, || std::io::Result::Ok(String::from("abc")));
    /// fibra::run(|| assert_eq!(pool.call(|text| text.len()).unwrap(), 3));
    /// ```
    #[track_caller]
    pub fn call<F, R>(&self, f: F) -> Result<R, OwnedError>
    where
        F: FnOnce(&mut T) -> R + Send + 'static,
        R: Send + 'static,
    {
        self.keepers.call(Limit::None, f)
    }

    /// Calls `f` with any value that is free, and leaves when `timeout` has passed, whether it
    /// waits for a value or for `f`. A call that has begun goes on without its caller.
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call), and [`OwnedError::Timeout`].
    ///
    /// # Panics
    ///
    /// The same as for [`call`](Self::call).
    #[track_caller]
    pub fn call_timeout<F, R>(&self, timeout: Duration, f: F) -> Result<R, OwnedError>
    where
        F: FnOnce(&mut T) -> R + Send + 'static,
        R: Send + 'static,
    {
        self.keepers.call(Limit::After(timeout), f)
    }

    /// Calls `f` like [`call_timeout`](Self::call_timeout), but leaves at `at` by the clock of the
    /// caller.
    ///
    /// # Errors
    ///
    /// Those of [`call_timeout`](Self::call_timeout).
    ///
    /// # Panics
    ///
    /// The same as for [`call`](Self::call).
    #[track_caller]
    pub fn call_deadline<F, R>(&self, at: Instant, f: F) -> Result<R, OwnedError>
    where
        F: FnOnce(&mut T) -> R + Send + 'static,
        R: Send + 'static,
    {
        self.keepers.call(Limit::At(at), f)
    }

    /// Calls `f` with any value that is free. The caller does not leave before `f` has returned,
    /// and `f` may borrow.
    ///
    /// The call begins with a kill point; kills and time limits that come later take effect at the
    /// next wait after it. It waits unconditionally, also for a free value.
    ///
    /// # Errors
    ///
    /// The same as for [`call`](Self::call).
    ///
    /// # Panics
    ///
    /// The same as for [`call`](Self::call).
    #[track_caller]
    pub fn call_uninterruptible<F, R>(&self, f: F) -> Result<R, OwnedError>
    where
        F: FnOnce(&mut T) -> R + Send,
        R: Send,
    {
        self.keepers.call_uninterruptible(f)
    }

    /// Returns the current numbers of values and calls.
    #[must_use]
    pub fn stats(&self) -> OwnedPoolStats {
        let now = self.keepers.stats();
        let (calls, replaced) = self.keepers.counts();
        OwnedPoolStats {
            size: now.threads,
            max: self.keepers.max_threads(),
            idle: now.idle,
            running: now.running,
            waiting: now.queued,
            calls,
            replaced,
        }
    }

    /// Closes the pool for all handles, and waits until all values are dropped. Calls that are
    /// queued run first; later ones return [`OwnedError::Closed`].
    ///
    /// This is a kill point for a fiber; a plain thread blocks. Inside a call to the pool itself,
    /// this does not wait.
    #[track_caller]
    pub fn close(&self) {
        self.keepers.close();
    }

    /// Returns whether the pool was closed, by this handle or another one.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.keepers.is_closed()
    }
}

// After a panic in a call, its value is not used again.
impl<T> UnwindSafe for OwnedPool<T> {}
impl<T> RefUnwindSafe for OwnedPool<T> {}

impl<T> Clone for OwnedPool<T> {
    fn clone(&self) -> OwnedPool<T> {
        OwnedPool { keepers: self.keepers.clone() }
    }
}

impl<T> fmt::Debug for OwnedPool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedPool")
            .field("is_closed", &self.is_closed())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
