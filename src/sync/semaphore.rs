//! A counted number of permits, handed out in the order of asking.
//!
//! ```text
//!   word:  63                          1 0
//!         [ permits that are free       | W ]    W: somebody waits
//! ```
//!
//! Invariants:
//! - While `W` is set the word changes under the lock of the queue only: who comes then queues up,
//!   however few permits it wants. So a big request is not starved by small ones.
//! - After each change under the lock the first in line wants more than there is.
//! - `total` is at least what is free and what permits stand for together, and at most `MAX_PERMITS`: so
//!   giving back never overflows. It is counted up before permits are added, and down after one is
//!   forgotten.
//! - A closed semaphore has an empty queue, and `W` is set forever: what comes goes to the queue, and is
//!   turned away there.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::sched::lowlevel::{Fate, Interrupt, OnDeadlock, WaitReason};
use crate::sync::error::TimeoutError;
use crate::sync::queue::Queue;
use crate::sync::waiter::{count_operation, deadline, locked, wake_all};

use line::Unserved;

mod line;
mod permit;

pub use permit::Permit;

static ACQUIRING: WaitReason =
    WaitReason::new("acquiring a semaphore", OnDeadlock::Panic).ended_by_outsiders();
static ACQUIRING_UNTIL: WaitReason =
    WaitReason::new("acquiring a semaphore", OnDeadlock::Fail).ended_by_outsiders();

const WAITERS: usize = 1;
const ONE: usize = 2;

/// Permits to do something, of which there are so many.
///
/// They are given in the order in which they were asked for, and a request for many is not passed
/// by later ones for few. A [`Permit`] gives what it holds back when it is dropped, so that it
/// cannot be given back twice.
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
    queue: Mutex<Queue<usize>>,
}

impl Semaphore {
    /// So many permits can exist.
    pub const MAX_PERMITS: usize = usize::MAX >> 3;

    /// A semaphore with so many permits.
    ///
    /// # Panics
    ///
    /// Panics if that is more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    #[must_use]
    pub const fn new(permits: usize) -> Semaphore {
        assert!(permits <= Semaphore::MAX_PERMITS, "more permits than a semaphore can have");
        Semaphore {
            word: AtomicUsize::new(permits * ONE),
            total: AtomicUsize::new(permits),
            closed: AtomicBool::new(false),
            queue: Mutex::new(Queue::new()),
        }
    }

    /// Waits for one permit.
    ///
    /// # Panics
    ///
    /// With a report if nothing can ever run again, and if the semaphore is closed.
    #[inline]
    #[track_caller]
    pub fn acquire(&self) -> Permit<'_> {
        self.acquire_many(1)
    }

    /// Waits until so many permits can be had at once.
    ///
    /// # Panics
    ///
    /// As [`acquire`](Self::acquire), and if no semaphore can have so many.
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
            Err(Unserved::Closed) => panic!("a semaphore was acquired that is closed"),
            Err(Unserved::Cut(interrupt)) => interrupt.into_panic(),
        }
    }

    /// Takes one permit if there is one and nobody waits.
    #[inline]
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        self.try_acquire_many(1)
    }

    /// Takes so many permits if there are as many and nobody waits.
    #[inline]
    pub fn try_acquire_many(&self, permits: usize) -> Option<Permit<'_>> {
        self.take(permits).then(|| Permit::new(self, permits))
    }

    /// Waits for one permit, no longer than `timeout`. [`Duration::MAX`] is no limit: the error is then
    /// that the semaphore is closed, or that nothing can ever run again.
    ///
    /// # Errors
    ///
    /// If the time is over first, or the semaphore is closed.
    #[track_caller]
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<Permit<'_>, TimeoutError> {
        self.acquire_many_timeout(1, timeout)
    }

    /// Waits for so many permits, no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// If the time is over first, or the semaphore is closed.
    ///
    /// # Panics
    ///
    /// Panics if no semaphore can have so many.
    #[track_caller]
    pub fn acquire_many_timeout(
        &self,
        permits: usize,
        timeout: Duration,
    ) -> Result<Permit<'_>, TimeoutError> {
        count_operation();
        if !self.take(permits) {
            self.wait_in_line(permits, deadline(timeout), &ACQUIRING_UNTIL)
                .map_err(Unserved::into_error)?;
        }
        Ok(Permit::new(self, permits))
    }

    /// Waits for one permit of a semaphore that is never closed, for a reason of the caller's.
    #[track_caller]
    pub(crate) fn acquire_because(
        &self,
        reason: &'static WaitReason,
    ) -> Result<Permit<'_>, Interrupt> {
        count_operation();
        if !self.take(1) {
            self.wait_in_line(1, None, reason).map_err(|unserved| match unserved {
                Unserved::Cut(interrupt) => interrupt,
                Unserved::Closed => unreachable!("the library closes none of its semaphores"),
            })?;
        }
        Ok(Permit::new(self, 1))
    }

    /// Waits for one permit, no longer than until `at` by the clock of the caller.
    ///
    /// # Errors
    ///
    /// If the time is over first, or the semaphore is closed.
    #[track_caller]
    pub fn acquire_deadline(&self, at: Instant) -> Result<Permit<'_>, TimeoutError> {
        count_operation();
        if !self.take(1) {
            self.wait_in_line(1, Some(at), &ACQUIRING_UNTIL).map_err(Unserved::into_error)?;
        }
        Ok(Permit::new(self, 1))
    }

    /// Adds permits, which the first in line get. It never waits.
    ///
    /// # Panics
    ///
    /// Panics if that makes more than [`MAX_PERMITS`](Self::MAX_PERMITS), those that are acquired
    /// included.
    pub fn add_permits(&self, permits: usize) {
        let more = |total: usize| {
            total.checked_add(permits).filter(|&total| total <= Semaphore::MAX_PERMITS)
        };
        let added = self.total.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        assert!(added.is_ok(), "more permits than a semaphore can have");
        self.give(permits);
    }

    /// Closes it: there are no permits any more, and those that wait go on without one. Permits that are out
    /// may still be given back.
    ///
    /// Afterwards [`acquire`](Self::acquire) panics, `try_acquire` has none to give, and the calls with a
    /// time limit fail with [`TimeoutError::Closed`].
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
        self.word.fetch_or(WAITERS, Ordering::Relaxed);
        let closed = queue.claim_all(Fate::Closed);
        drop(queue);
        wake_all(&closed);
    }

    /// Whether it is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// How many permits are free, now. While a request waits there may be some: fewer than it wants.
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
