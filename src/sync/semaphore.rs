//! A number of permits, and the queue of the requests for them.
//!
//! ```text
//!   word:  63                          2 1   0
//!         [ permits that are free       | C | W ]    W: the queue is not empty, or it is closed
//! ```
//!
//! Invariants, beside those of the two bits `WAITERS` and `COMPETES` in `contention.rs`:
//! - While `W` is set and `C` is not, a newcomer joins the queue even if its request is small. So
//!   small requests do not starve a large one.
//! - A waiter competes only if its request would leave no permit free. Otherwise it is served: that
//!   keeps no one out, and the waiters behind it need not wait for its thread.
//! - `total` is at least the number of free permits plus the permits that `Permit`s stand for, and
//!   at most `MAX_PERMITS`: so giving permits back never overflows. It is increased before permits
//!   are added, and decreased after one is forgotten.
//! - A closed semaphore has an empty queue, and `W` alone stays set: a newcomer locks the queue and
//!   is refused there.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::sched::lowlevel::{Interrupt, Limit, OnDeadlock, WaitOutcome, WaitReason};
use crate::sync::contention::Competitor;
use crate::sync::error::TimeoutError;
use crate::sync::futures::AcquireFuture;
use crate::sync::queue::Queue;
use crate::sync::waiter::{count_operation, locked, wake_all};

use line::Unserved;

mod line;
mod permit;

pub use permit::Permit;

static ACQUIRING: WaitReason =
    WaitReason::new("acquiring a semaphore", OnDeadlock::Panic).ended_by_outsiders();
static ACQUIRING_UNTIL: WaitReason =
    WaitReason::new("acquiring a semaphore", OnDeadlock::Fail).ended_by_outsiders();

const WAITERS: usize = 1;
const COMPETES: usize = 2;
const BITS: usize = WAITERS | COMPETES;
const ONE: usize = 4;

/// A counting semaphore: a number of permits that fibers and threads acquire and give back.
///
/// As long as one scheduler uses the semaphore, requests are served in the order in which they were
/// made; a request for many permits is not overtaken by later requests for few. Between threads,
/// running code may take the last permits that are free before a waiter, until that waiter has
/// waited for 500 µs: see [the module](crate::sync#order). A [`Permit`] gives its permits back when
/// it is dropped, so they cannot be given back twice.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fibra::sync::Semaphore;
///
/// static CONNECTIONS: Semaphore = Semaphore::new(2);
///
/// let runtime = fibra::Runtime::builder().virtual_clock().build()?;
/// runtime.run(|| {
///     let start = fibra::now();
///     fibra::scope(|s| {
///         for _ in 0..6 {
///             s.spawn(|| {
///                 let _permit = CONNECTIONS.acquire();
///                 fibra::sleep(Duration::from_secs(1));
///             });
///         }
///     });
///     assert_eq!(fibra::now() - start, Duration::from_secs(3)); // two at a time
/// });
/// # std::io::Result::Ok(())
/// ```
pub struct Semaphore {
    word: AtomicUsize,
    total: AtomicUsize,
    closed: AtomicBool,
    competitor: Competitor,
    queue: Mutex<Queue<usize>>,
}

impl Semaphore {
    /// The largest number of permits that a semaphore can have.
    pub const MAX_PERMITS: usize = usize::MAX >> 3;

    /// Creates a semaphore with `permits` free permits.
    ///
    /// # Panics
    ///
    /// Panics if `permits` is more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    #[must_use]
    pub const fn new(permits: usize) -> Semaphore {
        assert!(permits <= Semaphore::MAX_PERMITS, "more permits than a semaphore can have");
        Semaphore {
            word: AtomicUsize::new(permits * ONE),
            total: AtomicUsize::new(permits),
            closed: AtomicBool::new(false),
            competitor: Competitor::new(),
            queue: Mutex::new(Queue::new()),
        }
    }

    /// Acquires one permit, waiting until it is free.
    ///
    /// # Panics
    ///
    /// Panics if the semaphore is closed, and with a report if nothing can ever run again.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = fibra::sync::Semaphore::new(2);
    /// let permit = semaphore.acquire();
    /// assert_eq!(semaphore.available(), 1);
    /// drop(permit);
    /// assert_eq!(semaphore.available(), 2);
    /// ```
    #[inline]
    #[track_caller]
    pub fn acquire(&self) -> Permit<'_> {
        self.acquire_many(1)
    }

    /// Acquires `permits` permits together, waiting until that many are free.
    ///
    /// # Panics
    ///
    /// Panics like [`acquire`](Self::acquire), and if `permits` is more than
    /// [`MAX_PERMITS`](Self::MAX_PERMITS).
    #[inline]
    #[track_caller]
    pub fn acquire_many(&self, permits: usize) -> Permit<'_> {
        count_operation();
        if !self.take(permits) {
            self.acquire_slowly(permits);
        }
        Permit::new(self, permits)
    }

    #[cold]
    #[track_caller]
    fn acquire_slowly(&self, permits: usize) {
        match self.wait_in_line(permits, None, &ACQUIRING) {
            Ok(()) => {}
            Err(Unserved::Closed) => panic!("cannot acquire a permit: the semaphore is closed"),
            Err(Unserved::Interrupted(interrupt)) => interrupt.into_panic(),
        }
    }

    /// Acquires one permit if one is free and no waiter keeps the caller out, and never waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::sync::Semaphore;
    ///
    /// let semaphore = Semaphore::new(1);
    /// let permit = semaphore.try_acquire();
    /// assert!(permit.is_some());
    /// assert!(semaphore.try_acquire().is_none());
    /// ```
    #[inline]
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        self.try_acquire_many(1)
    }

    /// Acquires `permits` permits if that many are free and no waiter keeps the caller out, and
    /// never waits.
    #[inline]
    pub fn try_acquire_many(&self, permits: usize) -> Option<Permit<'_>> {
        self.take(permits).then(|| Permit::new(self, permits))
    }

    /// Acquires one permit, waiting no longer than `timeout`. [`Duration::MAX`] is no limit: the
    /// error is then that the semaphore is closed, or that nothing can ever run again.
    ///
    /// # Errors
    ///
    /// [`TimeoutError::Timeout`] if no permit was free in time, [`TimeoutError::Closed`] if the
    /// semaphore is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::sync::Semaphore;
    ///
    /// let semaphore = Semaphore::new(1);
    /// let _permit = semaphore.acquire();
    /// assert!(semaphore.acquire_timeout(Duration::from_millis(1)).is_err());
    /// ```
    #[track_caller]
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<Permit<'_>, TimeoutError> {
        self.acquire_within(1, Limit::After(timeout))
    }

    /// Acquires `permits` permits together, waiting no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// Those of [`acquire_timeout`](Self::acquire_timeout).
    ///
    /// # Panics
    ///
    /// Panics if `permits` is more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    #[track_caller]
    pub fn acquire_many_timeout(
        &self,
        permits: usize,
        timeout: Duration,
    ) -> Result<Permit<'_>, TimeoutError> {
        self.acquire_within(permits, Limit::After(timeout))
    }

    /// Acquires `permits` permits together, waiting no longer than until `at` by the clock of the
    /// caller.
    ///
    /// # Errors
    ///
    /// Those of [`acquire_many_timeout`](Self::acquire_many_timeout).
    ///
    /// # Panics
    ///
    /// Panics if `permits` is more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::sync::{Semaphore, TimeoutError};
    ///
    /// fibra::run(|| {
    ///     let semaphore = Semaphore::new(3);
    ///     let soon = fibra::now() + Duration::from_millis(1);
    ///     let two = semaphore.acquire_many_deadline(2, soon).unwrap();
    ///     let more = semaphore.acquire_many_deadline(2, soon).map(drop);
    ///     assert_eq!((two.permits(), more), (2, Err(TimeoutError::Timeout)));
    /// });
    /// ```
    #[track_caller]
    pub fn acquire_many_deadline(
        &self,
        permits: usize,
        at: Instant,
    ) -> Result<Permit<'_>, TimeoutError> {
        self.acquire_within(permits, Limit::At(at))
    }

    #[track_caller]
    fn acquire_within(&self, permits: usize, limit: Limit) -> Result<Permit<'_>, TimeoutError> {
        count_operation();
        if !self.take(permits) {
            self.wait_in_line(permits, limit.instant(), &ACQUIRING_UNTIL)
                .map_err(Unserved::into_error)?;
        }
        Ok(Permit::new(self, permits))
    }

    /// Acquires one permit of a semaphore that is never closed. Dumps and reports show `reason` for
    /// the wait.
    #[track_caller]
    pub(crate) fn acquire_because(
        &self,
        reason: &'static WaitReason,
    ) -> Result<Permit<'_>, Interrupt> {
        count_operation();
        if !self.take(1) {
            self.wait_in_line(1, None, reason).map_err(|unserved| match unserved {
                Unserved::Interrupted(interrupt) => interrupt,
                Unserved::Closed => unreachable!("the library closes none of its semaphores"),
            })?;
        }
        Ok(Permit::new(self, 1))
    }

    /// Acquires one permit, waiting no longer than until `at` by the clock of the caller.
    ///
    /// # Errors
    ///
    /// Those of [`acquire_timeout`](Self::acquire_timeout).
    #[track_caller]
    pub fn acquire_deadline(&self, at: Instant) -> Result<Permit<'_>, TimeoutError> {
        self.acquire_within(1, Limit::At(at))
    }

    /// Returns a future that acquires one permit. The wait begins with the first poll; tasks,
    /// fibers and threads wait in one queue. If the future is dropped after it was given the
    /// permit, the permit goes to the next waiter.
    ///
    /// The output is an error only if the semaphore is closed: [`TimeoutError::Closed`].
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::sync::Semaphore;
    ///
    /// fibra::run(|| {
    ///     let semaphore = Semaphore::new(2);
    ///     fibra::future::block_on(async {
    ///         let _one = semaphore.acquire_async().await?;
    ///         let _other = semaphore.acquire_async().await?;
    ///         assert_eq!(semaphore.available(), 0);
    ///         Ok::<(), fibra::sync::TimeoutError>(())
    ///     })
    /// })?;
    /// # Ok::<(), fibra::sync::TimeoutError>(())
    /// ```
    pub fn acquire_async(&self) -> AcquireFuture<'_> {
        self.acquire_many_async(1)
    }

    /// Returns a future that acquires `permits` permits together, like
    /// [`acquire_async`](Self::acquire_async).
    ///
    /// # Panics
    ///
    /// Panics if `permits` is more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    pub fn acquire_many_async(&self, permits: usize) -> AcquireFuture<'_> {
        assert!(permits <= Semaphore::MAX_PERMITS, "more permits than a semaphore can have");
        AcquireFuture::new(self, permits)
    }

    /// Adds permits and gives them to the first waiters. Never waits.
    ///
    /// # Panics
    ///
    /// Panics if the semaphore would then have more than [`MAX_PERMITS`](Self::MAX_PERMITS),
    /// acquired permits included.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::sync::Semaphore;
    ///
    /// let semaphore = Semaphore::new(0);
    /// semaphore.add_permits(2);
    /// assert_eq!(semaphore.available(), 2);
    /// ```
    pub fn add_permits(&self, permits: usize) {
        let more = |total: usize| {
            total.checked_add(permits).filter(|&total| total <= Semaphore::MAX_PERMITS)
        };
        let added = self.total.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        assert!(added.is_ok(), "more permits than a semaphore can have");
        self.give(permits);
    }

    /// Closes the semaphore: it gives no permits any more, and all waits for permits fail. Permits
    /// that are acquired may still be given back.
    ///
    /// From then on [`acquire`](Self::acquire) panics, `try_acquire` returns `None`, and the calls
    /// with a time limit fail with [`TimeoutError::Closed`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::sync::{Semaphore, TimeoutError};
    ///
    /// static PLACES: Semaphore = Semaphore::new(0);
    ///
    /// fibra::run(|| {
    ///     let guest = fibra::spawn(|| PLACES.acquire_timeout(Duration::MAX).map(drop));
    ///     fibra::yield_now();
    ///     PLACES.close();
    ///     assert_eq!(guest.join().unwrap(), Err(TimeoutError::Closed));
    /// });
    /// ```
    pub fn close(&self) {
        let mut queue = locked(&self.queue);
        self.closed.store(true, Ordering::Relaxed);
        self.shut();
        let closed = queue.claim_all(WaitOutcome::Closed);
        drop(queue);
        wake_all(&closed);
    }

    /// Returns whether the semaphore is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Returns the number of free permits. While a request waits there may be some, but fewer than
    /// it wants.
    #[must_use]
    pub fn available(&self) -> usize {
        self.word.load(Ordering::Relaxed) / ONE
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = locked(&self.queue).len();
        f.debug_struct("Semaphore")
            .field("available", &self.available())
            .field("waiting", &waiting)
            .finish()
    }
}
