//! Open files.
//!
//! Invariants:
//! - The descriptor is shared with the thread that works on it, and closed when neither needs it. A
//!   fiber may therefore leave at any time, and no thread ever works on a descriptor number that
//!   was reused for another file.
//! - Operations that move the position are done one after the other, in turns. A turn belongs to
//!   the job and not to the fiber that waits for it: a job that its fiber has left is finished
//!   before the next begins.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use crate::fs::cached::{PageCache, Place};
use crate::fs::open_options::OpenOptions;
use crate::fs::{FileTimes, Metadata, Permissions, on_thread};
use crate::sched::lowlevel::{OnDeadlock, WaitReason, interrupted, try_current_fiber};
use crate::sync::Semaphore;

static STANDING_IN_LINE: WaitReason =
    WaitReason::new("waiting for its turn at a file", OnDeadlock::Fail).ended_by_outsiders();

/// The most bytes that one call transfers to or from a thread.
pub(super) const MOST_AT_A_TIME: usize = 64 << 10;

/// An open file, like [`std::fs::File`]; closed when it is dropped.
///
/// It is `Send` and `Sync`: fibers of all threads and plain threads may share it.
///
/// # How much at a time
///
/// One `read` or `write` of a fiber moves at most 64 KiB. If a thread does it, the bytes are
/// transferred in a separate buffer: a thread never accesses memory of a fiber, which could leave.
/// A larger size would take memory for each fiber that reads, and save little. `read_to_end`,
/// `read_to_string` and [`fs::read`](crate::fs::read) read to the end of the file in one call.
///
/// # Sharing
///
/// Position and append mode are those of the kernel. Calls that use the position of a regular file
/// (`read`, `write`, `seek`) take turns, in the order in which they were made, together with those
/// on handles from [`try_clone`](Self::try_clone): two fibers that read get different parts. To
/// read or write a part without a turn use [`read_at`](Self::read_at) and
/// [`write_at`](Self::write_at). Calls on pipes and devices take no turns.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Seek, SeekFrom, Write};
///
/// let path = std::env::temp_dir().join(format!("fibra-doc-file-{}", std::process::id()));
/// fibra::run(|| -> std::io::Result<()> {
///     let mut file = fibra::fs::File::options().read(true).write(true).create(true).open(&path)?;
///     file.write_all(b"green threads")?;
///     file.seek(SeekFrom::Start(6))?;
///     let mut rest = String::new();
///     file.read_to_string(&mut rest)?;
///     assert_eq!(rest, "threads");
///     fibra::fs::remove_file(&path)
/// })?;
/// # std::io::Result::Ok(())
/// ```
pub struct File {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) file: std::fs::File,
    /// Whether reads first ask for what is in memory.
    pub(super) cache: PageCache,
    /// The turns at the position; `None` if the file has no position.
    line: Option<Arc<Semaphore>>,
    /// The turns of the calls that lock the file.
    pub(super) locking: Arc<Semaphore>,
    /// Whether a fiber has taken the lock, and will release it: then no job may.
    pub(super) locked: Arc<AtomicBool>,
}

impl File {
    /// Opens the file at `path` for reading. A kill point for a fiber, like all calls on files.
    ///
    /// # Errors
    ///
    /// The same as for [`std::fs::File::open`].
    #[track_caller]
    pub fn open(path: impl AsRef<Path>) -> io::Result<File> {
        File::options().read(true).open(path)
    }

    /// Opens the file at `path` for writing; creates it if it does not exist, and truncates it if
    /// it does.
    ///
    /// # Errors
    ///
    /// The same as for [`std::fs::File::create`].
    #[track_caller]
    pub fn create(path: impl AsRef<Path>) -> io::Result<File> {
        File::options().write(true).create(true).truncate(true).open(path)
    }

    /// Creates a file at `path`, for reading and writing.
    ///
    /// # Errors
    ///
    /// The same as for [`std::fs::File::create_new`], which fails if the file exists.
    #[track_caller]
    pub fn create_new(path: impl AsRef<Path>) -> io::Result<File> {
        File::options().read(true).write(true).create_new(true).open(path)
    }

    /// Returns options for opening a file.
    #[must_use]
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// Converts a file of std. This queries the kind of file once, on this thread.
    #[must_use]
    pub fn from_std(file: std::fs::File) -> File {
        let is_regular = file.metadata().map(|metadata| metadata.is_file()).ok();
        let cache = PageCache::of(&file, is_regular == Some(true));
        let has_position = is_regular != Some(false);
        let line = has_position.then(|| Arc::new(Semaphore::new(1)));
        let (locking, locked) = (Arc::new(Semaphore::new(1)), Arc::default());
        File { inner: Arc::new(Inner { file, cache, line, locking, locked }) }
    }

    /// Converts this file into one of std.
    ///
    /// # Errors
    ///
    /// Returns the file itself while a thread still works on it, for a fiber that has left (because
    /// of a kill or a time limit).
    ///
    /// # Examples
    ///
    /// ```
    /// let file = fibra::run(|| fibra::fs::File::open("Cargo.toml")).unwrap();
    /// let file: std::fs::File = file.into_std().unwrap();
    /// assert!(file.metadata().unwrap().is_file());
    /// ```
    pub fn into_std(self) -> Result<std::fs::File, File> {
        Arc::try_unwrap(self.inner).map(|inner| inner.file).map_err(|inner| File { inner })
    }

    /// Creates another handle to the same open file: they share the position, the turns, and the
    /// lock.
    ///
    /// # Errors
    ///
    /// The same as for [`std::fs::File::try_clone`].
    #[track_caller]
    pub fn try_clone(&self) -> io::Result<File> {
        let (line, locking) = (self.inner.line.clone(), self.inner.locking.clone());
        let locked = self.inner.locked.clone();
        let file = self.offload(std::fs::File::try_clone)?;
        let cache = self.inner.cache.for_clone();
        Ok(File { inner: Arc::new(Inner { file, cache, line, locking, locked }) })
    }

    /// Reads at `offset` bytes from the beginning into `buf`, and returns the number of bytes read.
    /// It does not move the position, and takes no turn.
    ///
    /// # Errors
    ///
    /// The same as for [`FileExt::read_at`].
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| -> std::io::Result<()> {
    ///     let file = fibra::fs::File::open("Cargo.toml")?;
    ///     let mut buf = [0; 4];
    ///     assert_eq!(file.read_at(&mut buf, 1)?, 4);
    ///     assert_eq!(&buf, b"pack");
    ///     Ok(())
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let Some(current) = try_current_fiber() else {
            return self.inner.file.read_at(buf, offset);
        };
        let at = Place::At(offset);
        if let Some(n) = self.inner.cache.read(current, &self.inner.file, buf, at) {
            return Ok(n);
        }
        let mut bytes = vec![0; buf.len().min(MOST_AT_A_TIME)];
        let bytes = self.offload(move |file| {
            let n = file.read_at(&mut bytes, offset)?;
            bytes.truncate(n);
            Ok(bytes)
        })?;
        Ok(fill(buf, &bytes))
    }

    /// Writes from `buf` at `offset` bytes from the beginning, and returns the number of bytes
    /// written. It does not move the position, and takes no turn.
    ///
    /// # Errors
    ///
    /// The same as for [`FileExt::write_at`].
    #[track_caller]
    pub fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        if try_current_fiber().is_none() {
            return self.inner.file.write_at(buf, offset);
        }
        let bytes = some_of(buf);
        self.offload(move |file| file.write_at(&bytes, offset))
    }

    /// Waits until data and metadata are on the disk.
    ///
    /// # Errors
    ///
    /// The same as for [`std::fs::File::sync_all`].
    #[track_caller]
    pub fn sync_all(&self) -> io::Result<()> {
        self.offload(std::fs::File::sync_all)
    }

    /// Waits until the data is on the disk, and the metadata that is needed to find it.
    ///
    /// # Errors
    ///
    /// The same as for [`std::fs::File::sync_data`].
    #[track_caller]
    pub fn sync_data(&self) -> io::Result<()> {
        self.offload(std::fs::File::sync_data)
    }

    /// Truncates the file, or extends it with zeros, to `size` bytes. It does not move the
    /// position.
    ///
    /// # Errors
    ///
    /// The same as for [`std::fs::File::set_len`].
    #[track_caller]
    pub fn set_len(&self, size: u64) -> io::Result<()> {
        self.offload(move |file| file.set_len(size))
    }

    /// Returns the metadata of the file.
    ///
    /// # Errors
    ///
    /// The same as for [`std::fs::File::metadata`].
    #[track_caller]
    pub fn metadata(&self) -> io::Result<Metadata> {
        self.offload(std::fs::File::metadata)
    }

    /// Changes the permissions of the file.
    ///
    /// # Errors
    ///
    /// The same as for [`std::fs::File::set_permissions`].
    #[track_caller]
    pub fn set_permissions(&self, permissions: Permissions) -> io::Result<()> {
        self.offload(move |file| file.set_permissions(permissions))
    }

    /// Changes the times at which the file was last read and written.
    ///
    /// # Errors
    ///
    /// The same as for [`std::fs::File::set_times`].
    #[track_caller]
    pub fn set_times(&self, times: FileTimes) -> io::Result<()> {
        self.offload(move |file| file.set_times(times))
    }

    /// Changes the time at which the file was last written.
    ///
    /// # Errors
    ///
    /// The same as for [`std::fs::File::set_modified`].
    #[track_caller]
    pub fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        self.set_times(FileTimes::new().set_modified(time))
    }

    /// Runs `f` on a thread, with a shared reference to the descriptor.
    #[track_caller]
    fn offload<T, F>(&self, f: F) -> io::Result<T>
    where
        F: FnOnce(&std::fs::File) -> io::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let inner = self.inner.clone();
        on_thread(move || f(&inner.file))
    }

    /// Like [`offload`](Self::offload), but waits for its turn first.
    #[track_caller]
    pub(super) fn in_turn<T, F>(&self, f: F) -> io::Result<T>
    where
        F: FnOnce(&std::fs::File) -> io::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        self.offload_with(self.turn()?, f)
    }

    /// Like [`offload`](Self::offload), with a turn that ends with the job.
    #[track_caller]
    pub(super) fn offload_with<T, F>(&self, turn: Option<Turn>, f: F) -> io::Result<T>
    where
        F: FnOnce(&std::fs::File) -> io::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        self.offload(move |file| {
            let _turn = turn;
            f(file)
        })
    }

    #[track_caller]
    pub(super) fn turn(&self) -> io::Result<Option<Turn>> {
        self.inner.line.as_ref().map(Turn::wait_for).transpose()
    }
}

/// The right to use the position, or to lock; dropping it passes it to the next in the queue.
pub(super) struct Turn(Arc<Semaphore>);

impl Turn {
    #[track_caller]
    pub(super) fn wait_for(line: &Arc<Semaphore>) -> io::Result<Turn> {
        let permit = line.acquire_because(&STANDING_IN_LINE);
        permit.map_err(|interrupt| interrupted(interrupt, &STANDING_IN_LINE))?.forget();
        Ok(Turn(line.clone()))
    }

    pub(super) fn if_free(line: &Arc<Semaphore>) -> Option<Turn> {
        line.try_acquire()?.forget();
        Some(Turn(line.clone()))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

pub(super) fn fill(buf: &mut [u8], bytes: &[u8]) -> usize {
    buf[..bytes.len()].copy_from_slice(bytes);
    bytes.len()
}

pub(super) fn some_of(buf: &[u8]) -> Vec<u8> {
    buf[..buf.len().min(MOST_AT_A_TIME)].to_vec()
}

/// Provides `read_at` and `write_at`, and the methods that std builds on them: `read_exact_at` and
/// `write_all_at`.
impl FileExt for File {
    #[track_caller]
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        File::read_at(self, buf, offset)
    }

    #[track_caller]
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        File::write_at(self, buf, offset)
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.file.as_fd()
    }
}

impl AsRawFd for File {
    fn as_raw_fd(&self) -> RawFd {
        self.inner.file.as_raw_fd()
    }
}

impl From<std::fs::File> for File {
    fn from(file: std::fs::File) -> File {
        File::from_std(file)
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Unlike std's, without path and mode, which would have to be queried from the system.
        f.debug_struct("File").field("fd", &self.as_raw_fd()).finish()
    }
}
