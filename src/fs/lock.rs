//! Locks on open files, by which processes, and handles within one, exclude each other.
//!
//! ```text
//!   turn -- free? --> [ held by the job ] -- the fiber takes it --> held by the handle
//!     |      no             ^        \_ not taken: dropping it unlocks, and ends the turn
//!     \--> a thread waits --/
//! ```
//!
//! Invariants:
//! - A lock that a job has obtained is released again unless the fiber that asked for it has taken
//!   it: a fiber may leave at any time, and its job may obtain the lock long after that. But a lock
//!   that was held before, and stayed held, belongs to its earlier owner, which will release it.
//! - A lock belongs to the open file, and so to all its handles. The turn at it stays with the job
//!   until it is decided what happens to the lock: one job never releases the lock of another.

use std::io;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::fs::file::{Inner, Turn};
use crate::fs::{File, TryLockError, on_thread};
use crate::offload;

/// Locking, like that of [`std::fs::File`]: advisory, and released at the latest when the last
/// handle to the open file is closed.
///
/// Handles that were opened separately exclude each other, whether in one process or in several.
/// Handles from [`try_clone`](File::try_clone) share their lock.
impl File {
    /// Waits until no other handle holds a lock on the file, and locks it.
    ///
    /// A call that has to wait occupies a thread, of a pool for locks alone (up to 1,000 threads;
    /// further calls wait in its queue). A fiber that is killed, or whose time limit passes, leaves
    /// immediately, and if its thread obtains the lock later it releases it again. A handle that
    /// held a lock of the other kind before may be left with none, or with that one.
    ///
    /// Calls on one handle and its clones lock one after the other. Fibers that wait in a cycle for
    /// each other's locks are not reported as a deadlock: the system does not report the
    /// holders.
    ///
    /// # Errors
    ///
    /// The same as for [`std::fs::File::lock`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::Write;
    ///
    /// let path = std::env::temp_dir().join(format!("fibra-doc-lock-{}", std::process::id()));
    /// fibra::run(|| -> std::io::Result<()> {
    ///     let mut file = fibra::fs::File::create(&path)?;
    ///     file.lock()?; // excludes other processes and other handles until it is unlocked
    ///     file.write_all(b"all of it")?;
    ///     file.unlock()?;
    ///     fibra::fs::remove_file(&path)
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn lock(&self) -> io::Result<()> {
        self.lock_as(Kind::Exclusive)
    }

    /// Waits until no other handle holds an exclusive lock on the file, and acquires a shared lock.
    ///
    /// Otherwise like [`lock`](File::lock).
    ///
    /// # Errors
    ///
    /// The same as for [`std::fs::File::lock_shared`].
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::fs::File;
    ///
    /// let path = std::env::temp_dir().join(format!("fibra-doc-shared-{}", std::process::id()));
    /// fibra::run(|| -> std::io::Result<()> {
    ///     let (one, other) = (File::create(&path)?, File::open(&path)?);
    ///     one.lock_shared()?;
    ///     other.lock_shared()?;
    ///     assert!(other.try_lock().is_err());
    ///     fibra::fs::remove_file(&path)
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn lock_shared(&self) -> io::Result<()> {
        self.lock_as(Kind::Shared)
    }

    /// Locks the file if no other handle holds a lock. A kill point, but it does not wait for a
    /// lock.
    ///
    /// # Errors
    ///
    /// Returns [`TryLockError::WouldBlock`] if another handle holds a lock, or another call is
    /// about to lock this handle or a clone of it. Otherwise the same as for
    /// [`std::fs::File::try_lock`].
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::fs::{File, TryLockError};
    ///
    /// let path = std::env::temp_dir().join(format!("fibra-doc-try-{}", std::process::id()));
    /// fibra::run(|| -> std::io::Result<()> {
    ///     let (one, other) = (File::create(&path)?, File::open(&path)?);
    ///     one.try_lock()?;
    ///     assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
    ///     one.unlock()?;
    ///     other.try_lock()?;
    ///     fibra::fs::remove_file(&path)
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn try_lock(&self) -> Result<(), TryLockError> {
        self.try_lock_as(Kind::Exclusive)
    }

    /// Acquires a shared lock, like [`lock_shared`](File::lock_shared), if no other handle holds an
    /// exclusive one.
    ///
    /// # Errors
    ///
    /// The same as for [`try_lock`](File::try_lock).
    #[track_caller]
    pub fn try_lock_shared(&self) -> Result<(), TryLockError> {
        self.try_lock_as(Kind::Shared)
    }

    /// Releases the lock. This is done directly on the calling thread, and is not a kill point: it
    /// cannot be interrupted.
    ///
    /// # Errors
    ///
    /// The same as for [`std::fs::File::unlock`].
    pub fn unlock(&self) -> io::Result<()> {
        // First this: a job that obtains the lock after it releases it.
        self.inner.locked.store(false, Ordering::SeqCst);
        Ok(flock(&self.inner.file, FlockOperation::Unlock)?)
    }

    #[track_caller]
    fn lock_as(&self, kind: Kind) -> io::Result<()> {
        let locking = Locking::new(&self.inner, Turn::wait_for(&self.inner.locking)?);
        // Usually the lock is free. The first attempt uses the pool for files, so that calls that
        // wait for other locks do not delay it, however many there are.
        let held = match on_thread(move || locking.try_to(kind))? {
            Ok(held) => held,
            Err(locking) => offload::locks().try_run(move || locking.wait_to(kind))??,
        };
        held.keep();
        Ok(())
    }

    #[track_caller]
    fn try_lock_as(&self, kind: Kind) -> Result<(), TryLockError> {
        let turn = Turn::if_free(&self.inner.locking).ok_or(TryLockError::WouldBlock)?;
        let locking = Locking::new(&self.inner, turn);
        let tried = on_thread(move || locking.try_to(kind)).map_err(TryLockError::Error)?;
        tried.map(Held::keep).map_err(|_| TryLockError::WouldBlock)
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Exclusive,
    Shared,
}

/// A turn at the lock of an open file, which moves to a thread and back.
struct Locking {
    inner: Arc<Inner>,
    _turn: Turn,
}

impl Locking {
    fn new(inner: &Arc<Inner>, turn: Turn) -> Locking {
        Locking { inner: inner.clone(), _turn: turn }
    }

    /// Tries to lock; returns itself if another handle holds a lock.
    fn try_to(self, kind: Kind) -> io::Result<Result<Held, Locking>> {
        let operation = match kind {
            Kind::Exclusive => FlockOperation::NonBlockingLockExclusive,
            Kind::Shared => FlockOperation::NonBlockingLockShared,
        };
        match flock(&self.inner.file, operation) {
            Ok(()) => Ok(Ok(Held(Some(self)))),
            Err(Errno::WOULDBLOCK) => {
                // A lock of the other kind is lost by the attempt.
                self.inner.locked.store(false, Ordering::SeqCst);
                Ok(Err(self))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn wait_to(self, kind: Kind) -> io::Result<Held> {
        let operation = match kind {
            Kind::Exclusive => FlockOperation::LockExclusive,
            Kind::Shared => FlockOperation::LockShared,
        };
        // Signals of the process may be delivered to any of its threads.
        rustix::io::retry_on_intr(|| flock(&self.inner.file, operation))?;
        Ok(Held(Some(self)))
    }
}

/// A lock that no fiber has taken yet. Dropping it releases the lock, and then ends the turn.
struct Held(Option<Locking>);

impl Held {
    /// Passes the lock to the handle.
    fn keep(mut self) {
        if let Some(locking) = mem::take(&mut self.0) {
            locking.inner.locked.store(true, Ordering::SeqCst);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(locking) = &self.0 {
            if !locking.inner.locked.load(Ordering::SeqCst) {
                // This fails if there is no lock, and then there is none to release.
                let _ = flock(&locking.inner.file, FlockOperation::Unlock);
            }
        }
    }
}
