//! Waiting for a change of what a mutex protects.
//!
//! Invariants:
//! - One who waits is in the queue before the mutex is free, so that no change in between is missed.
//! - A notification ends one wait. If its fiber is then killed before it has the mutex again, the
//!   notification goes to the next: none is lost.

use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as StdMutex};
use std::time::{Duration, Instant};

use crate::sched::lowlevel::{Fate, Interrupt, OnDeadlock, WaitReason};
use crate::sync::mutex::{Mutex, MutexGuard};
use crate::sync::queue::Queue;
use crate::sync::waiter::{Served, Site, Waiter, deadline, locked, wait};

static WAITING: WaitReason =
    WaitReason::new("waiting for a condition", OnDeadlock::Panic).ended_by_outsiders();

/// Lets fibers and threads wait until what a [`Mutex`] protects has changed, as
/// [`std::sync::Condvar`].
///
/// Notified waits end in the order in which they began, and none ends without a notification. A
/// condition may yet be gone again when the mutex is locked: use [`wait_while`](Self::wait_while).
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
    /// Whether the queue has anybody in it. Changed under its lock.
    any: AtomicBool,
    queue: StdMutex<Queue>,
}

/// Whether a wait that had a deadline was ended by that.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct WaitTimeoutResult {
    timed_out: bool,
}

impl Condvar {
    /// A condition variable for which nobody waits.
    #[must_use]
    pub const fn new() -> Condvar {
        Condvar { any: AtomicBool::new(false), queue: StdMutex::new(Queue::new()) }
    }

    /// Unlocks the mutex, waits for a notification, and locks the mutex again.
    ///
    /// A fiber that is killed meanwhile unwinds without the lock.
    ///
    /// # Panics
    ///
    /// With a report if nothing can ever run again.
    #[track_caller]
    pub fn wait<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.wait_until(guard, || None).0
    }

    /// Waits as long as `condition` holds, which is looked at before each wait.
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait).
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

    /// As [`wait`](Self::wait), but no longer than `timeout`. The mutex is locked again in any case,
    /// however long that takes.
    ///
    /// # Panics
    ///
    /// With a report if the mutex can never become free.
    #[track_caller]
    pub fn wait_timeout<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> (MutexGuard<'a, T>, WaitTimeoutResult) {
        self.wait_until(guard, || deadline(timeout))
    }

    /// As [`wait`](Self::wait), but no longer than until `at` by the clock of the caller.
    ///
    /// # Panics
    ///
    /// As [`wait_timeout`](Self::wait_timeout).
    #[track_caller]
    pub fn wait_deadline<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        at: Instant,
    ) -> (MutexGuard<'a, T>, WaitTimeoutResult) {
        self.wait_until(guard, || Some(at))
    }

    /// As [`wait_while`](Self::wait_while), but no longer than `timeout` in all. The result says
    /// whether the condition still held then.
    ///
    /// # Panics
    ///
    /// As [`wait_timeout`](Self::wait_timeout).
    #[track_caller]
    pub fn wait_timeout_while<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        timeout: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> (MutexGuard<'a, T>, WaitTimeoutResult) {
        let by = deadline(timeout);
        let mut result = WaitTimeoutResult { timed_out: false };
        while condition(&mut guard) {
            if result.timed_out {
                return (guard, result);
            }
            (guard, result) = self.wait_until(guard, || by);
        }
        (guard, WaitTimeoutResult { timed_out: false })
    }

    /// Ends the first wait, if there is one. It never waits itself.
    #[inline]
    pub fn notify_one(&self) {
        self.notify_many(1);
    }

    /// Ends the first `most` waits.
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
            if first.claim(Fate::Served) {
                served.push(first);
                left -= 1;
            }
        }
        self.any.store(!queue.is_empty(), Ordering::Relaxed);
        drop(queue);
        served.wake();
    }

    #[track_caller]
    fn wait_until<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        by: impl FnOnce() -> Option<Instant>,
    ) -> (MutexGuard<'a, T>, WaitTimeoutResult) {
        let mutex = guard.mutex();
        let waiter = Arc::new(Waiter::new(()));
        let by = by();
        let mut queue = locked(&self.queue);
        queue.push(waiter.clone());
        self.any.store(true, Ordering::Relaxed);
        drop(queue);
        drop(guard);
        match wait(self, &waiter, by, &WAITING) {
            Ok(_) => (self.lock_again(mutex), WaitTimeoutResult { timed_out: false }),
            Err(Interrupt::TimedOut) => (mutex.lock(), WaitTimeoutResult { timed_out: true }),
            Err(interrupt) => interrupt.into_panic(),
        }
    }

    /// Locks the mutex for one who was notified.
    #[track_caller]
    fn lock_again<'a, T: ?Sized>(&self, mutex: &'a Mutex<T>) -> MutexGuard<'a, T> {
        /// The notification of one who does not come to use it.
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
        let withdrawn = waiter.claim(Fate::Withdrawn);
        if withdrawn {
            queue.remove(waiter);
            self.any.store(!queue.is_empty(), Ordering::Relaxed);
        }
        withdrawn
    }
}

impl WaitTimeoutResult {
    /// Whether the time was over before the wait was.
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
