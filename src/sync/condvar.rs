//! A condition variable: waiting for a change of the data of a mutex.
//!
//! Invariants:
//! - A waiter is in the queue before it releases the mutex, so it misses no change in between.
//! - A notification ends one wait. If the waiting fiber is then killed before it has locked the
//!   mutex again, the notification is passed to the next waiter: none is lost.

use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as StdMutex};
use std::time::{Duration, Instant};

use crate::sched::lowlevel::{Interrupt, Limit, OnDeadlock, WaitOutcome, WaitReason};
use crate::sync::mutex::{Mutex, MutexGuard};
use crate::sync::queue::Queue;
use crate::sync::waiter::{Served, Site, Waiter, locked, wait};

pub(super) mod future;

static WAITING: WaitReason =
    WaitReason::new("waiting for a condition", OnDeadlock::Panic).ended_by_outsiders();

/// A condition variable like [`std::sync::Condvar`], for fibers and threads: they wait until the
/// data of a [`Mutex`] has changed.
///
/// Notified waits end in the order in which they began, and none ends without a notification. A
/// notified waiter then locks the mutex by the rule of [`Mutex`]: in the order of the notifications
/// in one scheduler, while between threads it competes for a lock that is free. The condition may
/// no longer hold when the mutex is locked again: use [`wait_while`](Self::wait_while).
///
/// # Examples
///
/// ```
/// use fibra::sync::{Condvar, Mutex};
///
/// static JOBS: Mutex<Vec<u32>> = Mutex::new(Vec::new());
/// static CHANGED: Condvar = Condvar::new();
///
/// fibra::run(|| {
///     let worker = fibra::spawn(|| {
///         let mut jobs = CHANGED.wait_while(JOBS.lock(), |jobs| jobs.is_empty());
///         jobs.pop()
///     });
///     std::thread::spawn(|| {
///         JOBS.lock().push(7);
///         CHANGED.notify_one();
///     });
///     assert_eq!(worker.join().unwrap(), Some(7));
/// });
/// ```
pub struct Condvar {
    /// Whether the queue is not empty. Changed under its lock.
    any: AtomicBool,
    queue: StdMutex<Queue>,
}

/// The result of a wait with a time limit: whether the limit ended it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fibra::sync::{Condvar, Mutex};
///
/// let (full, changed) = (Mutex::new(false), Condvar::new());
/// let guard = full.lock();
/// let (guard, result) = changed.wait_timeout(guard, Duration::from_millis(1));
/// assert!(result.timed_out() && !*guard);
/// ```
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct WaitTimeoutResult {
    timed_out: bool,
}

impl Condvar {
    /// Creates a condition variable without waiters.
    #[must_use]
    pub const fn new() -> Condvar {
        Condvar { any: AtomicBool::new(false), queue: StdMutex::new(Queue::new()) }
    }

    /// Unlocks the mutex, waits for a notification, and locks the mutex again.
    ///
    /// A fiber that is killed in the wait unwinds without the lock.
    ///
    /// # Panics
    ///
    /// Panics with a report if nothing can ever run again.
    #[track_caller]
    pub fn wait<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.wait_within(guard, Limit::None).0
    }

    /// Waits while `condition` returns true. Calls it with the mutex locked, before each wait.
    ///
    /// # Panics
    ///
    /// Panics like [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::sync::{Condvar, Mutex};
    ///
    /// fibra::run(|| {
    ///     let (ready, changed) = (Mutex::new(false), Condvar::new());
    ///     fibra::scope(|s| {
    ///         s.spawn(|| drop(changed.wait_while(ready.lock(), |ready| !*ready)));
    ///         fibra::yield_now(); // it waits now
    ///         *ready.lock() = true;
    ///         changed.notify_one();
    ///     });
    /// });
    /// ```
    #[track_caller]
    pub fn wait_while<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        while condition(&mut guard) {
            guard = self.wait(guard);
        }
        guard
    }

    /// Like [`wait`](Self::wait), but waits no longer than `timeout` for the notification. The
    /// mutex is locked again in any case, however long that takes.
    ///
    /// # Panics
    ///
    /// Panics with a report if the mutex can never become free.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::sync::{Condvar, Mutex};
    ///
    /// fibra::run(|| {
    ///     let (changed, count) = (Condvar::new(), Mutex::new(0));
    ///     let (count, result) = changed.wait_timeout(count.lock(), Duration::from_millis(1));
    ///     assert_eq!((*count, result.timed_out()), (0, true));
    /// });
    /// ```
    #[track_caller]
    pub fn wait_timeout<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> (MutexGuard<'a, T>, WaitTimeoutResult) {
        self.wait_within(guard, Limit::After(timeout))
    }

    /// Like [`wait_timeout`](Self::wait_timeout), but waits no longer than until `at` by the clock
    /// of the caller.
    ///
    /// # Panics
    ///
    /// Panics like [`wait_timeout`](Self::wait_timeout).
    #[track_caller]
    pub fn wait_deadline<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        at: Instant,
    ) -> (MutexGuard<'a, T>, WaitTimeoutResult) {
        self.wait_within(guard, Limit::At(at))
    }

    /// Like [`wait_while`](Self::wait_while), but waits no longer than `timeout` in all. The result
    /// is timed out if the condition still held then.
    ///
    /// # Panics
    ///
    /// Panics like [`wait_timeout`](Self::wait_timeout).
    #[track_caller]
    pub fn wait_timeout_while<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        timeout: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> (MutexGuard<'a, T>, WaitTimeoutResult) {
        let limit = Limit::After(timeout).fixed();
        let mut result = WaitTimeoutResult { timed_out: false };
        while condition(&mut guard) {
            if result.timed_out {
                return (guard, result);
            }
            (guard, result) = self.wait_within(guard, limit);
        }
        (guard, WaitTimeoutResult { timed_out: false })
    }

    /// Ends the first wait, if there is one. Never waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::sync::{Condvar, Mutex};
    ///
    /// fibra::run(|| {
    ///     let (jobs, changed) = (Mutex::new(Vec::new()), Condvar::new());
    ///     fibra::scope(|s| {
    ///         let worker = s.spawn(|| {
    ///             let mut jobs = changed.wait_while(jobs.lock(), |jobs| jobs.is_empty());
    ///             jobs.pop()
    ///         });
    ///         jobs.lock().push("sweep");
    ///         changed.notify_one();
    ///         assert_eq!(worker.join(), Ok(Some("sweep")));
    ///     });
    /// });
    /// ```
    #[inline]
    pub fn notify_one(&self) {
        self.notify_many(1);
    }

    /// Ends up to `most` waits, in the order in which they began.
    #[inline]
    pub fn notify_many(&self, most: usize) {
        if self.any.load(Ordering::Relaxed) {
            self.serve(most);
        }
    }

    /// Ends all waits that have begun.
    #[inline]
    pub fn notify_all(&self) {
        self.notify_many(usize::MAX);
    }

    #[cold]
    fn serve(&self, most: usize) {
        let mut queue = locked(&self.queue);
        let (mut served, mut left) = (Served::none(), most);
        while left != 0 {
            let Some(first) = queue.pop() else { break };
            if first.claim(WaitOutcome::Served) {
                served.push(first);
                left -= 1;
            }
        }
        self.any.store(!queue.is_empty(), Ordering::Relaxed);
        drop(queue);
        served.wake();
    }

    #[track_caller]
    fn wait_within<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        limit: Limit,
    ) -> (MutexGuard<'a, T>, WaitTimeoutResult) {
        let mutex = guard.mutex();
        let waiter = Arc::new(Waiter::new(()));
        let by = limit.instant();
        self.join_line(waiter.clone());
        drop(guard);
        match wait(self, &waiter, by, &WAITING) {
            Ok(_) => (self.lock_again(mutex), WaitTimeoutResult { timed_out: false }),
            Err(Interrupt::TimedOut) => (mutex.lock(), WaitTimeoutResult { timed_out: true }),
            Err(interrupt) => interrupt.into_panic(),
        }
    }

    /// Appends `waiter` to the queue.
    fn join_line(&self, waiter: Arc<Waiter>) {
        let mut queue = locked(&self.queue);
        queue.push(waiter);
        self.any.store(true, Ordering::Relaxed);
    }

    /// Locks the mutex for a waiter that was notified.
    #[track_caller]
    fn lock_again<'a, T: ?Sized>(&self, mutex: &'a Mutex<T>) -> MutexGuard<'a, T> {
        /// Passes the notification on if the lock is not obtained: the wait for it was killed.
        struct PassOn<'a>(&'a Condvar);
        impl Drop for PassOn<'_> {
            fn drop(&mut self) {
                self.0.notify_one();
            }
        }

        let unused = PassOn(self);
        let guard = mutex.lock();
        mem::forget(unused);
        guard
    }
}

impl Site for Condvar {
    type Extra = ();

    fn withdraw(&self, waiter: &Waiter) -> bool {
        let mut queue = locked(&self.queue);
        let withdrawn = queue.withdraw(waiter);
        if withdrawn {
            self.any.store(!queue.is_empty(), Ordering::Relaxed);
        }
        withdrawn
    }
}

impl WaitTimeoutResult {
    /// Returns whether the time limit ended the wait.
    #[must_use]
    pub fn timed_out(&self) -> bool {
        self.timed_out
    }
}

impl Default for Condvar {
    fn default() -> Condvar {
        Condvar::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = locked(&self.queue).len();
        f.debug_struct("Condvar").field("waiting", &waiting).finish()
    }
}
