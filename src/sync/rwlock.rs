//! Many readers or one writer, with the data inside: `RwLock` and its guards.
//!
//! Invariant: the data is reached through guards only, or through a `&mut` to the lock; a writer's
//! guard exists alone.

#![allow(unsafe_code, reason = "lends the data to whoever holds the lock")]

use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use crate::sched::lowlevel::{OnDeadlock, Owner, WaitReason};
use crate::sync::error::TimeoutError;
use crate::sync::raw_rwlock::{Mode, RawRwLock};
use crate::sync::waiter::{count_operation, deadline};

static READING: WaitReason =
    WaitReason::new("waiting to read an RwLock", OnDeadlock::Panic).ended_by_outsiders();
static READING_UNTIL: WaitReason =
    WaitReason::new("waiting to read an RwLock", OnDeadlock::Fail).ended_by_outsiders();
static WRITING: WaitReason =
    WaitReason::new("waiting to write an RwLock", OnDeadlock::Panic).ended_by_outsiders();
static WRITING_UNTIL: WaitReason =
    WaitReason::new("waiting to write an RwLock", OnDeadlock::Fail).ended_by_outsiders();

/// One writer or many readers, as [`std::sync::RwLock`], for fibers and threads.
///
/// Who waits comes in in the order of asking: a reader that comes after a waiting writer waits for
/// it, and readers next to each other in line come in together. So nobody starves, and one who reads
/// must not read again while it does: a writer may wait in between. There is no poisoning: see
/// [the module](crate::sync#no-poisoning).
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

/// Shared access to what a [`RwLock`] protects, until it is dropped.
#[must_use = "the lock is released when its guard is dropped"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    /// As what it is counted among the readers.
    owner: Owner,
    not_send: PhantomData<*const ()>,
}

/// Unique access to what a [`RwLock`] protects, until it is dropped.
#[must_use = "the lock is released when its guard is dropped"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    not_send: PhantomData<*const ()>,
}

// SAFETY: the lock owns the data, so it may move to another thread if the data may.
unsafe impl<T: ?Sized + Send> Send for RwLock<T> {}
// SAFETY: readers of several threads share the data (`Sync`), and a writer of any may take it away
// (`Send`).
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}
// SAFETY: a shared guard lends `&T`, and nothing else of it can be used from another thread.
unsafe impl<T: ?Sized + Sync> Sync for RwLockReadGuard<'_, T> {}
// SAFETY: as for the reader's guard.
unsafe impl<T: ?Sized + Sync> Sync for RwLockWriteGuard<'_, T> {}

impl<T> RwLock<T> {
    /// A free lock around `value`.
    #[must_use]
    pub const fn new(value: T) -> RwLock<T> {
        RwLock { raw: RawRwLock::new(), data: UnsafeCell::new(value) }
    }

    /// The data.
    pub fn into_inner(self) -> T {
        self.data.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits until the caller may read. It is a kill point if it has to wait, or lets others run.
    ///
    /// # Panics
    ///
    /// With a report if the lock can never become free: see [`Mutex::lock`](crate::sync::Mutex::lock).
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

    /// Waits until the caller may write. It is a kill point if it has to wait, or lets others run.
    ///
    /// # Panics
    ///
    /// As [`read`](Self::read).
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

    /// Reads if nobody writes or waits.
    #[inline]
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        let me = Owner::me();
        self.raw.try_read(me).then(|| self.reader(me))
    }

    /// Writes if the lock is free.
    #[inline]
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        self.raw.try_write().then(|| self.writer())
    }

    /// As [`read`](Self::read), but waits no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// If the time is over first.
    #[track_caller]
    pub fn read_timeout(&self, timeout: Duration) -> Result<RwLockReadGuard<'_, T>, TimeoutError> {
        self.enter(Mode::Read, || deadline(timeout))?;
        Ok(self.reader(Owner::me()))
    }

    /// As [`read`](Self::read), but waits no longer than until `at` by the clock of the caller.
    ///
    /// # Errors
    ///
    /// If the time is over first.
    #[track_caller]
    pub fn read_deadline(&self, at: Instant) -> Result<RwLockReadGuard<'_, T>, TimeoutError> {
        self.enter(Mode::Read, || Some(at))?;
        Ok(self.reader(Owner::me()))
    }

    /// As [`write`](Self::write), but waits no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// If the time is over first.
    #[track_caller]
    pub fn write_timeout(
        &self,
        timeout: Duration,
    ) -> Result<RwLockWriteGuard<'_, T>, TimeoutError> {
        self.enter(Mode::Write, || deadline(timeout))?;
        Ok(self.writer())
    }

    /// As [`write`](Self::write), but waits no longer than until `at` by the clock of the caller.
    ///
    /// # Errors
    ///
    /// If the time is over first.
    #[track_caller]
    pub fn write_deadline(&self, at: Instant) -> Result<RwLockWriteGuard<'_, T>, TimeoutError> {
        self.enter(Mode::Write, || Some(at))?;
        Ok(self.writer())
    }

    #[track_caller]
    fn enter(&self, mode: Mode, by: impl FnOnce() -> Option<Instant>) -> Result<(), TimeoutError> {
        count_operation();
        let (entered, reason) = match mode {
            Mode::Read => (self.raw.enter_to_read(Owner::me()), &READING_UNTIL),
            Mode::Write => (self.raw.enter_to_write(), &WRITING_UNTIL),
        };
        if entered {
            return Ok(());
        }
        self.raw.lock_slowly(mode, by(), reason).map_err(TimeoutError::of)
    }

    /// Whether somebody reads or writes, now.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.raw.is_locked()
    }

    /// The data, without locking: nobody else can hold the lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.data.get_mut()
    }

    /// The guard of one that has just come in.
    #[inline]
    fn reader(&self, owner: Owner) -> RwLockReadGuard<'_, T> {
        RwLockReadGuard { lock: self, owner, not_send: PhantomData }
    }

    /// The guard of one that has just come in.
    #[inline]
    fn writer(&self) -> RwLockWriteGuard<'_, T> {
        RwLockWriteGuard { lock: self, not_send: PhantomData }
    }
}

impl<'a, T: ?Sized> RwLockReadGuard<'a, T> {
    /// Says that the guard goes to another fiber of the thread, or out of `run`: see
    /// [`MutexGuard::hand_on`](crate::sync::MutexGuard::hand_on).
    pub fn hand_on(guard: RwLockReadGuard<'a, T>) -> RwLockReadGuard<'a, T> {
        guard.lock.raw.hand_on_read(guard.owner);
        guard
    }
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// Says that the guard goes to another fiber of the thread, or out of `run`: see
    /// [`MutexGuard::hand_on`](crate::sync::MutexGuard::hand_on).
    pub fn hand_on(guard: RwLockWriteGuard<'a, T>) -> RwLockWriteGuard<'a, T> {
        guard.lock.raw.hand_on_write();
        guard
    }

    /// Goes on reading, without a writer in between. Readers that wait come in, up to the next
    /// writer.
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
        // SAFETY: the lock is held for reading as long as the guard exists, so nobody writes.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held for writing as long as the guard exists, so nobody else has
        // access; and `&mut T` takes a `&mut` to this guard.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and the guard is borrowed uniquely.
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

impl<T: Default> Default for RwLock<T> {
    fn default() -> RwLock<T> {
        RwLock::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> RwLock<T> {
        RwLock::new(value)
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

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
