//! A lock for many readers or one writer that contains its data: `RwLock` and its guards.
//!
//! Invariant: the data is reached only through guards or through a `&mut` to the lock. While a
//! writer's guard exists, no other guard does.

#![allow(unsafe_code, reason = "lends the data to the holders of the lock")]

use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use crate::sched::lowlevel::{Limit, OnDeadlock, Owner, WaitReason};
use crate::sync::error::TimeoutError;
use crate::sync::futures::{ReadFuture, WriteFuture};
use crate::sync::raw_rwlock::{Mode, RawRwLock};
use crate::sync::waiter::count_operation;

static READING: WaitReason =
    WaitReason::new("waiting to read an RwLock", OnDeadlock::Panic).ended_by_outsiders();
static READING_UNTIL: WaitReason =
    WaitReason::new("waiting to read an RwLock", OnDeadlock::Fail).ended_by_outsiders();
static WRITING: WaitReason =
    WaitReason::new("waiting to write an RwLock", OnDeadlock::Panic).ended_by_outsiders();
static WRITING_UNTIL: WaitReason =
    WaitReason::new("waiting to write an RwLock", OnDeadlock::Fail).ended_by_outsiders();

/// A lock for one writer or many readers like [`std::sync::RwLock`], for fibers and threads.
///
/// As long as one scheduler uses the lock, its fibers get it in the order in which they arrived: a
/// reader that arrives after a waiting writer waits for that writer, and readers that are adjacent
/// in the queue get the lock together. Waiters of several threads may be overtaken by running
/// readers and writers, until they have waited for 500 µs: see [the module](crate::sync#order). So
/// no waiter starves. A fiber that reads must not lock again for reading: a writer may be waiting
/// in between. There is no poisoning: see [the module](crate::sync#no-poisoning).
///
/// # Examples
///
/// ```
/// use fibra::sync::RwLock;
///
/// static NAMES: RwLock<Vec<&str>> = RwLock::new(Vec::new());
///
/// fibra::run(|| {
///     NAMES.write().push("a");
///     let (first, second) = (NAMES.read(), NAMES.read());
///     let writer = fibra::spawn(|| NAMES.write().push("b"));
///     fibra::yield_now();
///     assert_eq!((first.len(), second.len()), (1, 1));
///     drop((first, second));
///     writer.join().unwrap();
///     assert_eq!(*NAMES.read(), ["a", "b"]);
/// });
/// ```
pub struct RwLock<T: ?Sized> {
    raw: RawRwLock,
    data: UnsafeCell<T>,
}

/// A guard that gives shared access to the data of a [`RwLock`] and releases it when dropped.
///
/// # Examples
///
/// ```
/// use fibra::sync::RwLock;
///
/// let lock = RwLock::new(5);
/// let (one, other) = (lock.read(), lock.read()); // any number of readers
/// assert_eq!(*one + *other, 10);
/// ```
#[must_use = "the lock is released when its guard is dropped"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    /// The owner as which this reader was counted.
    owner: Owner,
    not_send: PhantomData<*const ()>,
}

/// A guard that gives exclusive access to the data of a [`RwLock`] and releases it when dropped.
///
/// # Examples
///
/// ```
/// use fibra::sync::RwLock;
///
/// let lock = RwLock::new(5);
/// *lock.write() += 1; // alone
/// assert_eq!(*lock.read(), 6);
/// ```
#[must_use = "the lock is released when its guard is dropped"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    not_send: PhantomData<*const ()>,
}

// SAFETY: the lock owns the data, so it may move to another thread if the data may.
unsafe impl<T: ?Sized + Send> Send for RwLock<T> {}
// SAFETY: readers of several threads share the data (`T: Sync`), and a writer of any thread may
// move it out (`T: Send`).
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}
// SAFETY: a shared guard lends `&T`, and nothing else of it can be used from another thread.
unsafe impl<T: ?Sized + Sync> Sync for RwLockReadGuard<'_, T> {}
// SAFETY: like for the reader's guard.
unsafe impl<T: ?Sized + Sync> Sync for RwLockWriteGuard<'_, T> {}

impl<T> RwLock<T> {
    /// Creates a free lock that contains `value`.
    #[must_use]
    pub const fn new(value: T) -> RwLock<T> {
        RwLock { raw: RawRwLock::new(), data: UnsafeCell::new(value) }
    }

    /// Consumes the lock and returns the data.
    pub fn into_inner(self) -> T {
        self.data.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Locks for reading, waiting while there is a writer or a waiter that arrived before. The call
    /// is a kill point if it has to wait or lets other fibers run.
    ///
    /// # Panics
    ///
    /// Panics with a report if the lock can never become free: see
    /// [`Mutex::lock`](crate::sync::Mutex::lock).
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = fibra::sync::RwLock::new(5);
    /// let (one, two) = (lock.read(), lock.read());
    /// assert_eq!(*one + *two, 10);
    /// ```
    #[inline]
    #[track_caller]
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        count_operation();
        let me = Owner::me();
        if !self.raw.enter_to_read(me) {
            self.wait_in_line(Mode::Read);
        }
        self.reader(me)
    }

    /// Locks for writing, waiting while there are readers, a writer or waiters that arrived before.
    /// The call is a kill point if it has to wait or lets other fibers run.
    ///
    /// # Panics
    ///
    /// Panics like [`read`](Self::read).
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = fibra::sync::RwLock::new(5);
    /// *lock.write() += 1;
    /// assert_eq!(*lock.read(), 6);
    /// ```
    #[inline]
    #[track_caller]
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        count_operation();
        if !self.raw.enter_to_write() {
            self.wait_in_line(Mode::Write);
        }
        self.writer()
    }

    #[cold]
    #[track_caller]
    fn wait_in_line(&self, mode: Mode) {
        let reason = if mode == Mode::Read { &READING } else { &WRITING };
        if let Err(interrupt) = self.raw.lock_slowly(mode, None, reason) {
            interrupt.into_panic();
        }
    }

    /// Locks for reading if there is no writer and no waiter, and never waits.
    #[inline]
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        let me = Owner::me();
        self.raw.try_read(me).then(|| self.reader(me))
    }

    /// Locks for writing if the lock is free, and never waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::sync::RwLock;
    ///
    /// let lock = RwLock::new(1);
    /// let reader = lock.read();
    /// assert!(lock.try_write().is_none());
    /// drop(reader);
    /// *lock.try_write().unwrap() += 1;
    /// assert_eq!(lock.into_inner(), 2);
    /// ```
    #[inline]
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        self.raw.try_write().then(|| self.writer())
    }

    /// Locks like [`read`](Self::read), but waits no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimeoutError::Timeout`] if the lock did not become free in time.
    #[track_caller]
    pub fn read_timeout(&self, timeout: Duration) -> Result<RwLockReadGuard<'_, T>, TimeoutError> {
        self.enter_within(Mode::Read, Limit::After(timeout))?;
        Ok(self.reader(Owner::me()))
    }

    /// Locks like [`read`](Self::read), but waits no longer than until `at` by the clock of the
    /// caller.
    ///
    /// # Errors
    ///
    /// [`TimeoutError::Timeout`] if the lock did not become free in time.
    #[track_caller]
    pub fn read_deadline(&self, at: Instant) -> Result<RwLockReadGuard<'_, T>, TimeoutError> {
        self.enter_within(Mode::Read, Limit::At(at))?;
        Ok(self.reader(Owner::me()))
    }

    /// Locks like [`write`](Self::write), but waits no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimeoutError::Timeout`] if the lock did not become free in time.
    #[track_caller]
    pub fn write_timeout(
        &self,
        timeout: Duration,
    ) -> Result<RwLockWriteGuard<'_, T>, TimeoutError> {
        self.enter_within(Mode::Write, Limit::After(timeout))?;
        Ok(self.writer())
    }

    /// Locks like [`write`](Self::write), but waits no longer than until `at` by the clock of the
    /// caller.
    ///
    /// # Errors
    ///
    /// [`TimeoutError::Timeout`] if the lock did not become free in time.
    #[track_caller]
    pub fn write_deadline(&self, at: Instant) -> Result<RwLockWriteGuard<'_, T>, TimeoutError> {
        self.enter_within(Mode::Write, Limit::At(at))?;
        Ok(self.writer())
    }

    #[track_caller]
    fn enter_within(&self, mode: Mode, limit: Limit) -> Result<(), TimeoutError> {
        count_operation();
        let (entered, reason) = match mode {
            Mode::Read => (self.raw.enter_to_read(Owner::me()), &READING_UNTIL),
            Mode::Write => (self.raw.enter_to_write(), &WRITING_UNTIL),
        };
        if entered {
            return Ok(());
        }
        self.raw.lock_slowly(mode, limit.instant(), reason).map_err(TimeoutError::of)
    }

    /// Returns a future that locks for reading, like
    /// [`Mutex::lock_async`](crate::sync::Mutex::lock_async).
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::future::block_on;
    /// use fibra::sync::RwLock;
    ///
    /// let lock = RwLock::new(5);
    /// block_on(async {
    ///     *lock.write_async().await += 1;
    ///     assert_eq!(*lock.read_async().await, 6);
    /// });
    /// ```
    pub fn read_async(&self) -> ReadFuture<'_, T> {
        ReadFuture::new(self)
    }

    /// Returns a future that locks for writing, like
    /// [`Mutex::lock_async`](crate::sync::Mutex::lock_async).
    pub fn write_async(&self) -> WriteFuture<'_, T> {
        WriteFuture::new(self)
    }

    pub(super) fn raw(&self) -> &RawRwLock {
        &self.raw
    }

    /// Returns whether there is a reader or a writer now.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.raw.is_locked()
    }

    /// Returns the data without locking: the `&mut` shows that no guard exists.
    pub fn get_mut(&mut self) -> &mut T {
        self.data.get_mut()
    }

    /// Returns the guard of a caller that was just counted among the readers as `owner`.
    #[inline]
    pub(super) fn reader(&self, owner: Owner) -> RwLockReadGuard<'_, T> {
        RwLockReadGuard { lock: self, owner, not_send: PhantomData }
    }

    /// Returns the guard of a caller that has just become the writer.
    #[inline]
    pub(super) fn writer(&self) -> RwLockWriteGuard<'_, T> {
        RwLockWriteGuard { lock: self, not_send: PhantomData }
    }
}

impl<'a, T: ?Sized> RwLockReadGuard<'a, T> {
    /// Declares that the guard will be given to another fiber of the thread, or leave `run`: see
    /// [`MutexGuard::hand_on`](crate::sync::MutexGuard::hand_on).
    pub fn hand_on(guard: RwLockReadGuard<'a, T>) -> RwLockReadGuard<'a, T> {
        guard.lock.raw.hand_on_read(guard.owner);
        guard
    }
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// Declares that the guard will be given to another fiber of the thread, or leave `run`: see
    /// [`MutexGuard::hand_on`](crate::sync::MutexGuard::hand_on).
    pub fn hand_on(guard: RwLockWriteGuard<'a, T>) -> RwLockWriteGuard<'a, T> {
        guard.lock.raw.hand_on_write();
        guard
    }

    /// Turns the writer into a reader, without another writer in between. The readers that wait
    /// before the first waiting writer get the lock as well.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::sync::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new(1);
    /// let mut writer = lock.write();
    /// *writer += 1;
    /// let reader = RwLockWriteGuard::downgrade(writer);
    /// assert_eq!((*reader, lock.try_read().map(|r| *r)), (2, Some(2)));
    /// ```
    pub fn downgrade(guard: RwLockWriteGuard<'a, T>) -> RwLockReadGuard<'a, T> {
        let lock = guard.lock;
        mem::forget(guard);
        let owner = lock.raw.downgrade();
        lock.reader(owner)
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held for reading as long as the guard exists, so there is no writer.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held for writing as long as the guard exists, so no other guard
        // exists; and `&mut T` takes a `&mut` to this guard.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: like in `deref`, and the guard is borrowed uniquely.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T: ?Sized> Drop for RwLockReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.raw.unlock_read(self.owner);
    }
}

impl<T: ?Sized> Drop for RwLockWriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.raw.unlock_write();
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("RwLock");
        match self.try_read() {
            Some(guard) => text.field("data", &&*guard),
            None => text.field("data", &format_args!("<locked>")),
        };
        text.finish_non_exhaustive()
    }
}
