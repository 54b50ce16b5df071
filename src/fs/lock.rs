//! Locks on open files, by which processes, and handles within one, keep out of each other's way.
//!
//! ```text
//!   turn -- free? --> [ held by the job ] -- the fiber takes it --> held by the handle
//!     |      no             ^        \_ nobody takes it: unlocked by a drop, and the turn passed on
//!     \--> a thread waits --/
//! ```
//!
//! Invariants:
//! - What a job has locked is unlocked again unless the fiber that wanted it has taken it: a fiber may
//!   leave at any time, and its job may get the lock long after that. But what was locked before, and
//!   has stayed so, is somebody's who will unlock it.
//! - A lock belongs to the open file, and so to all its handles. The turn at it stays with the job
//!   until that has settled what becomes of the lock: what one job gives back is not another's.

use std::io;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::fs::file::{Inner, Turn};
use crate::fs::{File, TryLockError, on_thread};
use crate::offload;

/// Locking, as [`std::fs::File`] has it: advisory, and given back when the last handle to the open
/// file is closed, at the latest.
///
/// Handles that were opened separately exclude each other, whether in one process or in several.
/// Those of [`try_clone`](File::try_clone) have their lock in common.
impl File {
    /// Waits until nobody else has locked the file, and locks it.
    ///
    /// Whoever has to wait keeps a thread waiting, of a pool for these alone (up to 1,000; who comes then
    /// stands in line). A fiber that is killed, or whose time limit passes, leaves at once, and what its
    /// thread gets later is given back there and then. A handle that had a lock of the other kind before
    /// may be left with none, or with that one.
    ///
    /// Calls on one handle and its clones lock one after the other. Fibers that wait in a circle for each
    /// other's locks are not reported as a deadlock: the system does not say who has them.
    ///
    /// # Errors
    ///
    /// As [`std::fs::File::lock`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::Write;
    ///
    /// let path = std::env::temp_dir().join(format!("fibra-doc-lock-{}", std::process::id()));
    /// fibra::run(|| -> std::io::Result<()> {
    ///     let mut file = fibra::fs::File::create(&path)?;
    ///     file.lock()?; // no other process, and no other handle, until it is unlocked
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

    /// Waits until nobody has locked the file but by this call, and locks it so.
    ///
    /// As [`lock`](File::lock) otherwise.
    ///
    /// # Errors
    ///
    /// As [`std::fs::File::lock_shared`].
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

    /// Locks the file if nobody else has. A kill point, but it waits for nobody.
    ///
    /// # Errors
    ///
    /// [`TryLockError::WouldBlock`] if somebody has locked it, or another call is about to lock this
    /// handle or a clone of it. As [`std::fs::File::try_lock`] otherwise.
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

    /// Locks the file as [`lock_shared`](File::lock_shared) does, if nobody has locked it in another way.
    ///
    /// # Errors
    ///
    /// As [`try_lock`](File::try_lock).
    #[track_caller]
    pub fn try_lock_shared(&self) -> Result<(), TryLockError> {
        self.try_lock_as(Kind::Shared)
    }

    /// Gives the lock back. It is done on the spot, and is no kill point: it is not left half-way.
    ///
    /// # Errors
    ///
    /// As [`std::fs::File::unlock`].
    pub fn unlock(&self) -> io::Result<()> {
        // First: a job that gets it after this gives it back.
        self.inner.locked.store(false, Ordering::SeqCst);
        Ok(flock(&self.inner.file, FlockOperation::Unlock)?)
    }

    #[track_caller]
    fn lock_as(&self, kind: Kind) -> io::Result<()> {
        let locking = Locking::new(&self.inner, Turn::wait_for(&self.inner.locking)?);
        // Mostly it is free. Then those who wait for other locks do not hold this up, however many
        // they are.
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

/// A turn at the lock of an open file, which goes to a thread and back.
struct Locking {
    inner: Arc<Inner>,
    _turn: Turn,
}

impl Locking {
    fn new(inner: &Arc<Inner>, turn: Turn) -> Locking {
        Locking { inner: inner.clone(), _turn: turn }
    }

    /// The lock, or itself if somebody else has that.
    fn try_to(self, kind: Kind) -> io::Result<Result<Held, Locking>> {
        let operation = match kind {
            Kind::Exclusive => FlockOperation::NonBlockingLockExclusive,
            Kind::Shared => FlockOperation::NonBlockingLockShared,
        };
        match flock(&self.inner.file, operation) {
            Ok(()) => Ok(Ok(Held(Some(self)))),
            Err(Errno::WOULDBLOCK) => {
                // A lock of the other kind is lost by that.
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
        // Signals of the process may come to any of its threads.
        rustix::io::retry_on_intr(|| flock(&self.inner.file, operation))?;
        Ok(Held(Some(self)))
    }
}

/// A lock that nobody has taken yet. If nobody does it is given back, and then the turn is passed on.
struct Held(Option<Locking>);

impl Held {
    /// It is the handle's from now on.
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
                // It fails if there is no lock, and then there is none to give back.
                let _ = flock(&locking.inner.file, FlockOperation::Unlock);
            }
        }
    }
}
