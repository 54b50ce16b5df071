//! A mutex that its owner may lock repeatedly.
//!
//! Invariants:
//! - `depth` is the number of guards, and `number` is the full number of the owner. Only the thread
//!   that holds the lock writes them.
//! - Guards cannot leave their thread, so at any time all of them are on one thread. That makes
//!   `&T` sound for data that must not be shared between threads.

#![allow(unsafe_code, reason = "shares data that stays on one thread at a time")]

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::sched::lowlevel::{Interrupt, Limit, OnDeadlock, Owner, WaitReason, try_current_fiber};
use crate::sync::error::TimeoutError;
use crate::sync::raw_mutex::RawMutex;
use crate::sync::waiter::count_operation;

static LOCKING: WaitReason =
    WaitReason::new("locking a reentrant mutex", OnDeadlock::Panic).ended_by_outsiders();
static LOCKING_UNTIL: WaitReason =
    WaitReason::new("locking a reentrant mutex", OnDeadlock::Fail).ended_by_outsiders();

/// A mutex that can be locked again by the fiber or plain thread that holds it.
///
/// Waiters get the lock in the order that [`Mutex`](crate::sync::Mutex) describes. Several guards
/// may exist, so they give `&T` only: data that changes needs a `Cell` or `RefCell`.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
/// use fibra::sync::ReentrantMutex;
///
/// static DEPTH: ReentrantMutex<Cell<u32>> = ReentrantMutex::new(Cell::new(0));
///
/// fn descend(levels: u32) -> u32 {
///     let depth = DEPTH.lock();
///     depth.set(depth.get() + 1);
///     if levels == 0 { depth.get() } else { descend(levels - 1) }
/// }
/// assert_eq!(descend(3), 4);
/// ```
pub struct ReentrantMutex<T: ?Sized> {
    raw: RawMutex,
    number: AtomicU64,
    depth: AtomicU32,
    data: T,
}

/// A guard that gives shared access to the data of a [`ReentrantMutex`]. Dropping the last one
/// unlocks the mutex.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
/// use fibra::sync::ReentrantMutex;
///
/// let mutex = ReentrantMutex::new(Cell::new(1));
/// let outer = mutex.lock();
/// let inner = mutex.lock(); // by the same owner
/// inner.set(2);
/// assert_eq!(outer.get(), 2);
/// ```
#[must_use = "the mutex is unlocked when its last guard is dropped"]
pub struct ReentrantMutexGuard<'a, T: ?Sized> {
    mutex: &'a ReentrantMutex<T>,
    not_send: PhantomData<*const ()>,
}

// SAFETY: one thread at a time has guards, and with them `&T`. It may leave the data in another
// state, or take it out of a cell: that amounts to sending it, which `T: Send` allows.
unsafe impl<T: ?Sized + Send> Sync for ReentrantMutex<T> {}
// SAFETY: a shared guard lends `&T`, and nothing else of it can be used from another thread.
unsafe impl<T: ?Sized + Sync> Sync for ReentrantMutexGuard<'_, T> {}

impl<T> ReentrantMutex<T> {
    /// Creates an unlocked mutex that contains `value`.
    #[must_use]
    pub const fn new(value: T) -> ReentrantMutex<T> {
        ReentrantMutex {
            raw: RawMutex::new(),
            number: AtomicU64::new(0),
            depth: AtomicU32::new(0),
            data: value,
        }
    }

    /// Consumes the mutex and returns the data.
    pub fn into_inner(self) -> T {
        self.data
    }
}

impl<T: ?Sized> ReentrantMutex<T> {
    /// Locks the mutex, waiting while another fiber or thread holds it.
    ///
    /// # Panics
    ///
    /// Panics like [`Mutex::lock`](crate::sync::Mutex::lock), except that the caller may hold the
    /// lock already; and if the caller has 2³² − 1 guards.
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> ReentrantMutexGuard<'_, T> {
        match self.lock_within(Limit::None, &LOCKING) {
            Ok(guard) => guard,
            Err(interrupt) => interrupt.into_panic(),
        }
    }

    /// Locks the mutex if it is free or held by the caller, and never waits.
    pub fn try_lock(&self) -> Option<ReentrantMutexGuard<'_, T>> {
        if self.is_mine() {
            return Some(self.again());
        }
        self.raw.try_lock().then(|| self.first())
    }

    /// Locks the mutex, waiting no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimeoutError::Timeout`] if the lock did not become free in time.
    #[track_caller]
    pub fn lock_timeout(
        &self,
        timeout: Duration,
    ) -> Result<ReentrantMutexGuard<'_, T>, TimeoutError> {
        self.lock_within(Limit::After(timeout), &LOCKING_UNTIL).map_err(TimeoutError::of)
    }

    /// Locks the mutex, waiting no longer than until `at` by the clock of the caller.
    ///
    /// # Errors
    ///
    /// [`TimeoutError::Timeout`] if the lock did not become free in time.
    #[track_caller]
    pub fn lock_deadline(&self, at: Instant) -> Result<ReentrantMutexGuard<'_, T>, TimeoutError> {
        self.lock_within(Limit::At(at), &LOCKING_UNTIL).map_err(TimeoutError::of)
    }

    #[inline]
    #[track_caller]
    fn lock_within(
        &self,
        limit: Limit,
        reason: &'static WaitReason,
    ) -> Result<ReentrantMutexGuard<'_, T>, Interrupt> {
        count_operation();
        if self.is_mine() {
            return Ok(self.again());
        }
        if !self.raw.lock_quickly() {
            self.raw.lock_slowly(limit.instant(), reason)?;
        }
        Ok(self.first())
    }

    /// Returns whether the mutex is locked now.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.raw.is_locked()
    }

    /// Returns the data without locking: the `&mut` shows that no guard exists.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.data
    }

    /// Returns whether the caller holds the lock. If the word names the caller's thread, that
    /// thread wrote it, and the number with it.
    #[inline]
    fn is_mine(&self) -> bool {
        self.raw.owner() == Some(Owner::me()) && self.number.load(Ordering::Relaxed) == my_number()
    }

    #[inline]
    fn first(&self) -> ReentrantMutexGuard<'_, T> {
        self.number.store(my_number(), Ordering::Relaxed);
        self.depth.store(1, Ordering::Relaxed);
        ReentrantMutexGuard { mutex: self, not_send: PhantomData }
    }

    #[inline]
    fn again(&self) -> ReentrantMutexGuard<'_, T> {
        let depth = self.depth.load(Ordering::Relaxed).checked_add(1);
        self.depth.store(
            depth.expect("one owner has 2^32 - 1 guards of a reentrant mutex: were guards leaked?"),
            Ordering::Relaxed,
        );
        ReentrantMutexGuard { mutex: self, not_send: PhantomData }
    }
}

/// Returns the full number of the running fiber. Returns 0 on a plain thread, which the word alone
/// identifies.
#[inline]
fn my_number() -> u64 {
    try_current_fiber().map_or(0, |current| current.fiber.id().number())
}

impl<T: ?Sized> Deref for ReentrantMutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.mutex.data
    }
}

impl<T: ?Sized> Drop for ReentrantMutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let depth = self.mutex.depth.load(Ordering::Relaxed) - 1;
        self.mutex.depth.store(depth, Ordering::Relaxed);
        if depth == 0 {
            self.mutex.raw.unlock();
        }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for ReentrantMutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("ReentrantMutex");
        match self.try_lock() {
            Some(guard) => text.field("data", &&*guard),
            None => text.field("data", &format_args!("<locked>")).field("owner", &self.raw.owner()),
        };
        text.finish_non_exhaustive()
    }
}
