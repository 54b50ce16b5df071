//! What is in a folder, fetched in batches.
//!
//! Invariant: the open folder is here, or with the thread that reads from it, which is the only one to
//! have it. If the fiber leaves meanwhile the thread closes it.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::fs::{FileType, Metadata, on_thread};

/// Entries that a thread reads in one go: a way to the thread and back for so many.
const BATCH: usize = 128;

/// An iterator over what is in a folder, without `.` and `..`, in no particular order.
///
/// # Errors
///
/// As [`std::fs::read_dir`].
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

/// What [`read_dir`] returns. Its `next` waits for a thread once in 128 entries, and is a kill point
/// then.
///
/// If that wait was left (because of a time limit) the next item is an error, and the last: what the
/// thread has read then is lost.
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
                return Some(Err(io::Error::other("the reading of the folder was left half-way")));
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

/// An entry of a folder: see [`read_dir`].
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
    /// What the folder says of it. Not all file systems do.
    file_type: Option<FileType>,
}

impl DirEntry {
    fn new(entry: std::fs::DirEntry) -> DirEntry {
        let file_type = entry.file_type().ok();
        DirEntry { entry: Arc::new(entry), file_type }
    }

    /// The path that was given to [`read_dir`], with the name of this entry.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.entry.path()
    }

    /// Its name in the folder.
    #[must_use]
    pub fn file_name(&self) -> OsString {
        self.entry.file_name()
    }

    /// What kind it is; links are not followed. It was read with the entry, so this rarely waits.
    ///
    /// # Errors
    ///
    /// As [`std::fs::DirEntry::file_type`].
    #[track_caller]
    pub fn file_type(&self) -> io::Result<FileType> {
        if let Some(file_type) = self.file_type {
            return Ok(file_type);
        }
        let entry = self.entry.clone();
        on_thread(move || entry.file_type())
    }

    /// What the system knows of it; links are not followed. A kill point for a fiber.
    ///
    /// # Errors
    ///
    /// As [`std::fs::DirEntry::metadata`].
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
