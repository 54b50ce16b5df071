//! The entries of a directory, fetched in batches.
//!
//! Invariant: the open directory is in the iterator, or with the thread that reads from it, which
//! has exclusive access. If the fiber leaves meanwhile the thread closes it.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::fs::{FileType, Metadata, on_thread};

/// Number of entries that a thread reads per job.
const BATCH: usize = 128;

/// Returns an iterator over the entries of a directory, without `.` and `..`, in no particular
/// order.
///
/// # Errors
///
/// The same as for [`std::fs::read_dir`].
///
/// # Examples
///
/// ```
/// fibra::run(|| -> std::io::Result<()> {
///     let mut names = Vec::new();
///     for entry in fibra::fs::read_dir("src/fs")? {
///         names.push(entry?.file_name());
///     }
///     assert!(names.iter().any(|name| name == "mod.rs"));
///     Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[track_caller]
pub fn read_dir(path: impl AsRef<Path>) -> io::Result<ReadDir> {
    let path = path.as_ref().to_path_buf();
    let (source, batch) = on_thread(move || std::fs::read_dir(path).map(next_batch))?;
    Ok(ReadDir { source, batch })
}

/// An iterator over the entries of a directory, returned by [`read_dir`]. Its `next` waits for a
/// thread once per 128 entries, and is a kill point then.
///
/// If that wait was interrupted (by a time limit) the next item is an error, and the last: the
/// entries that the thread has read then are lost.
pub struct ReadDir {
    source: Source,
    batch: VecDeque<io::Result<DirEntry>>,
}

enum Source {
    Open(Box<std::fs::ReadDir>),
    /// A thread has it, or had it when its fiber left.
    Away,
    Ended,
}

type Batch = (Source, VecDeque<io::Result<DirEntry>>);

fn next_batch(mut source: std::fs::ReadDir) -> Batch {
    let batch: VecDeque<_> =
        source.by_ref().take(BATCH).map(|entry| entry.map(DirEntry::new)).collect();
    let has_more = batch.len() == BATCH;
    (if has_more { Source::Open(Box::new(source)) } else { Source::Ended }, batch)
}

impl Iterator for ReadDir {
    type Item = io::Result<DirEntry>;

    #[track_caller]
    fn next(&mut self) -> Option<io::Result<DirEntry>> {
        if !self.batch.is_empty() {
            return self.batch.pop_front();
        }
        match mem::replace(&mut self.source, Source::Away) {
            Source::Open(source) => match on_thread(move || Ok(next_batch(*source))) {
                Ok((source, batch)) => (self.source, self.batch) = (source, batch),
                Err(error) => {
                    self.source = Source::Ended;
                    return Some(Err(error));
                }
            },
            Source::Away => {
                self.source = Source::Ended;
                return Some(Err(io::Error::other(
                    "an earlier read of this directory was interrupted: open it again",
                )));
            }
            Source::Ended => self.source = Source::Ended,
        }
        self.batch.pop_front()
    }
}

impl fmt::Debug for ReadDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadDir").field("at_hand", &self.batch.len()).finish_non_exhaustive()
    }
}

/// An entry of a directory: see [`read_dir`].
///
/// # Examples
///
/// ```
/// fibra::run(|| -> std::io::Result<()> {
///     let mut bytes = 0;
///     for entry in fibra::fs::read_dir("src")? {
///         let entry = entry?;
///         if entry.file_type()?.is_file() {
///             bytes += entry.metadata()?.len();
///         }
///     }
///     assert!(1_000 < bytes);
///     Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone)]
pub struct DirEntry {
    entry: Arc<std::fs::DirEntry>,
    /// The type of the entry as recorded in the directory. Not all file systems record it.
    file_type: Option<FileType>,
}

impl DirEntry {
    fn new(entry: std::fs::DirEntry) -> DirEntry {
        let file_type = entry.file_type().ok();
        DirEntry { entry: Arc::new(entry), file_type }
    }

    /// Returns the path that was passed to [`read_dir`], joined with the name of this entry.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.entry.path()
    }

    /// Returns the name of the entry in its directory.
    #[must_use]
    pub fn file_name(&self) -> OsString {
        self.entry.file_name()
    }

    /// Returns the type of the entry; symbolic links are not followed. It was read with the entry,
    /// so this rarely waits.
    ///
    /// # Errors
    ///
    /// The same as for [`std::fs::DirEntry::file_type`].
    #[track_caller]
    pub fn file_type(&self) -> io::Result<FileType> {
        if let Some(file_type) = self.file_type {
            return Ok(file_type);
        }
        let entry = self.entry.clone();
        on_thread(move || entry.file_type())
    }

    /// Returns the metadata of the entry; symbolic links are not followed. A kill point for a
    /// fiber.
    ///
    /// # Errors
    ///
    /// The same as for [`std::fs::DirEntry::metadata`].
    #[track_caller]
    pub fn metadata(&self) -> io::Result<Metadata> {
        let entry = self.entry.clone();
        on_thread(move || entry.metadata())
    }
}

impl fmt::Debug for DirEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entry.fmt(f)
    }
}
