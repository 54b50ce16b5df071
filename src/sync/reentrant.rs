//! A mutex that its owner may lock again.
//!
//! Invariants:
//! - `depth` counts the guards, and `number` is the owner's in full: both are touched by the thread
//!   that holds the lock.
//! - Guards stay on their thread, so all of them are of one thread at any time. That is what makes
//!   `&T` sound for data that may not be shared between threads.

#![allow(unsafe_code, reason = "shares data that stays on one thread at a time")]

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::sched::lowlevel::{Interrupt, OnDeadlock, Owner, WaitReason, try_here};
use crate::sync::error::TimeoutError;
use crate::sync::raw_mutex::RawMutex;
use crate::sync::waiter::{count_operation, deadline};

static LOCKING: WaitReason =
    WaitReason::new("locking a reentrant mutex", OnDeadlock::Panic).ended_by_outsiders();
static LOCKING_UNTIL: WaitReason =
    WaitReason::new("locking a reentrant mutex", OnDeadlock::Fail).ended_by_outsiders();

/// A mutex that the fiber (or the plain thread) that holds it may lock again.
///
/// As two guards may exist, they give `&T`: what is to change needs a `Cell` or `RefCell`.
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

/// Access to what a [`ReentrantMutex`] protects, until it is dropped.
#[must_use = "the mutex is unlocked when its last guard is dropped"]
pub struct ReentrantMutexGuard<'a, T: ?Sized> {
    mutex: &'a ReentrantMutex<T>,
    not_send: PhantomData<*const ()>,
}

// SAFETY: one thread at a time has guards, and with them `&T`. It may leave the data in another
// state, or take it out of a cell: that is sending it. A `Send` value needs no more.
unsafe impl<T: ?Sized + Send> Sync for ReentrantMutex<T> {}
// SAFETY: a shared guard lends `&T`, and nothing else of it can be used from another thread.
unsafe impl<T: ?Sized + Sync> Sync for ReentrantMutexGuard<'_, T> {}

impl<T> ReentrantMutex<T> {
    /// An unlocked mutex around `value`.
    #[must_use]
    pub const fn new(value: T) -> ReentrantMutex<T> {
        ReentrantMutex {
            raw: RawMutex::new(),
            number: AtomicU64::new(0),
            depth: AtomicU32::new(0),
            data: value,
        }
    }

    /// The data.
    pub fn into_inner(self) -> T {
        self.data
    }
}

impl<T: ?Sized> ReentrantMutex<T> {
    /// Waits until the lock is the caller's, which it may be already.
    ///
    /// # Panics
    ///
    /// As [`Mutex::lock`](crate::sync::Mutex::lock), and if the caller has four billion guards.
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> ReentrantMutexGuard<'_, T> {
        match self.lock_by(|| None, &LOCKING) {
            Ok(guard) => guard,
            Err(interrupt) => interrupt.into_panic(),
        }
    }

    /// Takes the lock if it is free, or the caller's.
    pub fn try_lock(&self) -> Option<ReentrantMutexGuard<'_, T>> {
        if self.is_mine() {
            return Some(self.again());
        }
        self.raw.try_lock().then(|| self.first())
    }

    /// Waits for the lock, no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// If the time is over first.
    #[track_caller]
    pub fn lock_timeout(
        &self,
        timeout: Duration,
    ) -> Result<ReentrantMutexGuard<'_, T>, TimeoutError> {
        self.lock_by(|| deadline(timeout), &LOCKING_UNTIL).map_err(TimeoutError::of)
    }

    /// Waits for the lock, no longer than until `at` by the clock of the caller.
    ///
    /// # Errors
    ///
    /// If the time is over first.
    #[track_caller]
    pub fn lock_deadline(&self, at: Instant) -> Result<ReentrantMutexGuard<'_, T>, TimeoutError> {
        self.lock_by(|| Some(at), &LOCKING_UNTIL).map_err(TimeoutError::of)
    }

    #[inline]
    #[track_caller]
    fn lock_by(
        &self,
        by: impl FnOnce() -> Option<Instant>,
        reason: &'static WaitReason,
    ) -> Result<ReentrantMutexGuard<'_, T>, Interrupt> {
        count_operation();
        if self.is_mine() {
            return Ok(self.again());
        }
        if !self.raw.try_lock() {
            self.raw.lock_slowly(by(), reason)?;
        }
        Ok(self.first())
    }

    /// Whether somebody holds the lock, now.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.raw.is_locked()
    }

    /// The data, without locking: nobody else can hold the lock.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.data
    }

    /// Whether the caller holds it. If the word names the caller's thread it was written there, and
    /// so was the number.
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
        self.depth.store(depth.expect("too many guards of one mutex"), Ordering::Relaxed);
        ReentrantMutexGuard { mutex: self, not_send: PhantomData }
    }
}

/// The number of the running fiber in full; of a plain thread 0, for the word has all of that.
#[inline]
fn my_number() -> u64 {
    try_here().map_or(0, |here| here.fiber.id().number())
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

impl<T: Default> Default for ReentrantMutex<T> {
    fn default() -> ReentrantMutex<T> {
        ReentrantMutex::new(T::default())
    }
}

impl<T> From<T> for ReentrantMutex<T> {
    fn from(value: T) -> ReentrantMutex<T> {
        ReentrantMutex::new(value)
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

impl<T: ?Sized + fmt::Debug> fmt::Debug for ReentrantMutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for ReentrantMutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
