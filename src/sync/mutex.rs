//! A mutual exclusion lock that contains its data: `Mutex` and its guard.
//!
//! Invariant: the data is reached only through a guard or through a `&mut` to the mutex, and
//! each time the lock is taken, one guard is made.

#![allow(unsafe_code, reason = "lends the data to the holder of the lock")]

use std::cell::UnsafeCell;
use std::fmt;
#[cfg(feature = "net")]
use std::io;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

#[cfg(feature = "net")]
use crate::sched::lowlevel::{Interrupt, interrupted};
use crate::sched::lowlevel::{Limit, OnDeadlock, WaitReason};
use crate::sync::error::TimeoutError;
use crate::sync::futures::LockFuture;
use crate::sync::raw_mutex::RawMutex;
use crate::sync::waiter::count_operation;

static LOCKING: WaitReason =
    WaitReason::new("locking a mutex", OnDeadlock::Panic).ended_by_outsiders();
static LOCKING_UNTIL: WaitReason =
    WaitReason::new("locking a mutex", OnDeadlock::Fail).ended_by_outsiders();

/// A mutual exclusion lock like [`std::sync::Mutex`], for fibers and threads.
///
/// As long as one scheduler uses the lock, its fibers get it in the order in which they arrived: a
/// release hands it to the first waiter. Waiters of several threads may be overtaken by running
/// code, until they have waited for 500 µs: see [the module](crate::sync#order). While a fiber
/// waits, the other fibers of its thread run. A fiber may hold the guard across other waits. There
/// is no poisoning: see [the module](crate::sync#no-poisoning).
///
/// # Examples
///
/// ```
/// use fibra::sync::Mutex;
///
/// static TOTAL: Mutex<u32> = Mutex::new(0);
///
/// let thread = std::thread::spawn(|| *TOTAL.lock() += 1);
/// fibra::run(|| {
///     let adders: Vec<_> = (0..10)
///         .map(|_| {
///             fibra::spawn(|| {
///                 let mut total = TOTAL.lock();
///                 let before = *total;
///                 fibra::yield_now(); // no other fiber gets the lock
///                 *total = before + 1;
///             })
///         })
///         .collect();
///     adders.into_iter().for_each(|adder| adder.join().unwrap());
/// });
/// thread.join().unwrap();
/// assert_eq!(*TOTAL.lock(), 11);
/// ```
pub struct Mutex<T: ?Sized> {
    raw: RawMutex,
    data: UnsafeCell<T>,
}

/// A guard that gives access to the data of a [`Mutex`] and unlocks it when dropped.
///
/// It cannot leave its thread, but may be given to another fiber of that thread: see
/// [`hand_on`](MutexGuard::hand_on).
///
/// # Examples
///
/// ```
/// use fibra::sync::Mutex;
///
/// fibra::run(|| {
///     let list = Mutex::new(vec![1]);
///     {
///         let mut guard = list.lock();
///         guard.push(2);
///     } // unlocked here
///     assert_eq!(list.into_inner(), [1, 2]);
/// });
/// ```
#[must_use = "the mutex is unlocked when its guard is dropped"]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    not_send: PhantomData<*const ()>,
}

// SAFETY: the mutex owns the data, so it may move to another thread if the data may.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}
// SAFETY: through a shared mutex one thread at a time reaches the data, and each of them may move
// it out: that amounts to sending it, which `T: Send` allows.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}
// SAFETY: a shared guard lends `&T`, and nothing else of it can be used from another thread.
unsafe impl<T: ?Sized + Sync> Sync for MutexGuard<'_, T> {}

impl<T> Mutex<T> {
    /// Creates an unlocked mutex that contains `value`.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::sync::Mutex;
    ///
    /// static TOTAL: Mutex<u32> = Mutex::new(0);
    ///
    /// *TOTAL.lock() += 1;
    /// assert_eq!(*TOTAL.lock(), 1);
    /// ```
    #[must_use]
    pub const fn new(value: T) -> Mutex<T> {
        Mutex { raw: RawMutex::new(), data: UnsafeCell::new(value) }
    }

    /// Consumes the mutex and returns the data.
    pub fn into_inner(self) -> T {
        self.data.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Locks the mutex, waiting while it is held. The call is a kill point if it has to wait or
    /// lets other fibers run.
    ///
    /// # Panics
    ///
    /// Panics with a report if the lock can never become free: if the caller already holds it, or
    /// if its owner waits, directly or in a circle, for a lock of the caller, and no fiber can run.
    ///
    /// # Examples
    ///
    /// ```
    /// let mutex = fibra::sync::Mutex::new(1);
    /// *mutex.lock() += 1;
    /// assert_eq!(*mutex.lock(), 2);
    /// ```
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        count_operation();
        if !self.raw.lock_quickly() {
            self.lock_slowly();
        }
        self.guard()
    }

    #[cold]
    #[track_caller]
    fn lock_slowly(&self) {
        if let Err(interrupt) = self.raw.lock_slowly(None, &LOCKING) {
            interrupt.into_panic();
        }
    }

    /// Locks the mutex, or returns an error if the fiber is killed where nothing can unwind.
    #[cfg(feature = "net")]
    #[inline]
    #[track_caller]
    pub(crate) fn lock_unless_killed(&self) -> io::Result<MutexGuard<'_, T>> {
        if !self.raw.lock_quickly() {
            self.lock_or_fail()?;
        }
        Ok(self.guard())
    }

    #[cfg(feature = "net")]
    #[cold]
    #[track_caller]
    fn lock_or_fail(&self) -> io::Result<()> {
        match self.raw.lock_slowly(None, &LOCKING_UNTIL) {
            Err(deadlock @ Interrupt::Deadlock(_)) => deadlock.into_panic(),
            result => result.map_err(|interrupt| interrupted(interrupt, &LOCKING_UNTIL)),
        }
    }

    /// Locks the mutex if it is free, and never waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::sync::Mutex;
    ///
    /// let mutex = Mutex::new(0);
    /// let guard = mutex.try_lock().unwrap();
    /// assert!(mutex.try_lock().is_none());
    /// drop(guard);
    /// assert!(mutex.try_lock().is_some());
    /// ```
    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.raw.try_lock().then(|| self.guard())
    }

    /// Locks the mutex, waiting no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimeoutError::Timeout`] if the lock did not become free in time.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::sync::{Mutex, TimeoutError};
    ///
    /// fibra::run(|| {
    ///     let mutex = Mutex::new(1);
    ///     let _guard = mutex.lock();
    ///     let error = mutex.lock_timeout(Duration::from_millis(1)).unwrap_err();
    ///     assert_eq!(error, TimeoutError::Timeout);
    /// });
    /// ```
    #[track_caller]
    pub fn lock_timeout(&self, timeout: Duration) -> Result<MutexGuard<'_, T>, TimeoutError> {
        self.lock_within(Limit::After(timeout))
    }

    /// Locks the mutex, waiting no longer than until `at` by the clock of the caller.
    ///
    /// # Errors
    ///
    /// [`TimeoutError::Timeout`] if the lock did not become free in time.
    #[track_caller]
    pub fn lock_deadline(&self, at: Instant) -> Result<MutexGuard<'_, T>, TimeoutError> {
        self.lock_within(Limit::At(at))
    }

    #[track_caller]
    fn lock_within(&self, limit: Limit) -> Result<MutexGuard<'_, T>, TimeoutError> {
        count_operation();
        if !self.raw.lock_quickly() {
            self.raw.lock_slowly(limit.instant(), &LOCKING_UNTIL).map_err(TimeoutError::of)?;
        }
        Ok(self.guard())
    }

    /// Returns a future that locks the mutex. The wait begins with the first poll; tasks, fibers
    /// and threads wait in one queue.
    ///
    /// The future may be polled by any executor, on any thread. If it is dropped after it was given
    /// the lock, the lock goes to the next waiter. The lock counts as held by a task, not by the
    /// fiber or thread that polls: see [`sync::futures`](crate::sync::futures).
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::future::block_on;
    /// use fibra::sync::Mutex;
    ///
    /// static TOTAL: Mutex<u32> = Mutex::new(0);
    ///
    /// fibra::run(|| {
    ///     block_on(async { *TOTAL.lock_async().await += 1 });
    ///     assert_eq!(*TOTAL.lock(), 1);
    /// });
    /// ```
    pub fn lock_async(&self) -> LockFuture<'_, T> {
        LockFuture::new(self)
    }

    pub(super) fn raw(&self) -> &RawMutex {
        &self.raw
    }

    /// Returns whether the mutex is locked now.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.raw.is_locked()
    }

    /// Returns the data without locking: the `&mut` shows that no guard exists.
    pub fn get_mut(&mut self) -> &mut T {
        self.data.get_mut()
    }

    /// Returns the guard of a caller that has just taken the lock.
    #[inline]
    pub(super) fn guard(&self) -> MutexGuard<'_, T> {
        MutexGuard { mutex: self, not_send: PhantomData }
    }
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// Declares that the guard will be given to another fiber of the thread, or leave `run`.
    ///
    /// A lock counts as held by the fiber that took it, wherever its guard is. If that fiber then
    /// waits for a lock itself, this may look like a deadlock, and the wait of an uninvolved fiber
    /// would fail. After this call the lock counts as held by all fibers of the thread: it is part
    /// of a deadlock only if none of them can run.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::sync::{Mutex, MutexGuard};
    ///
    /// static LINE: Mutex<u32> = Mutex::new(0);
    ///
    /// fibra::run(|| {
    ///     for _ in 0..3 {
    ///         let mut guard = MutexGuard::hand_on(LINE.lock());
    ///         fibra::spawn(move || {
    ///             fibra::sleep(Duration::from_millis(30));
    ///             *guard += 1;
    ///         });
    ///     }
    ///     assert_eq!(*LINE.lock(), 3);
    /// });
    /// ```
    pub fn hand_on(guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        guard.mutex.raw.hand_on();
        guard
    }

    pub(super) fn mutex(&self) -> &'a Mutex<T> {
        self.mutex
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held as long as the guard exists, so no other guard exists; and `&mut
        // T` takes a `&mut` to this guard.
        unsafe { &*self.mutex.data.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: like in `deref`, and the guard is borrowed uniquely.
        unsafe { &mut *self.mutex.data.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.raw.unlock();
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Mutex");
        match self.try_lock() {
            Some(guard) => text.field("data", &&*guard),
            None => text.field("data", &format_args!("<locked>")).field("owner", &self.raw.owner()),
        };
        text.finish_non_exhaustive()
    }
}
