//! Files and directories, like [`std::fs`]; a fiber that uses them lets others run meanwhile.
//!
//! Operating systems have no event for a file that can be read without waiting. A call that might
//! wait for a disk or a server therefore runs on a thread of a pool that the process keeps for
//! files (four threads per core, or 16 if that is more), separate from those of
//! [`blocking`](fn@crate::blocking). That takes 2 to 30 µs, because another thread must be woken.
//! Combine many small steps into one: with [`read`], [`write`](write()), a
//! [`BufReader`](std::io::BufReader), or `blocking` around a function that uses `std::fs`. On plain
//! threads the calls are those of std.
//!
//! # Files in memory
//!
//! A read of an open [`File`] needs no thread for what the system has in its page cache, which is
//! nearly everything that was read or written lately. On Linux such a read is one system call on
//! the thread of the fiber, like that of std. If the bytes are not there, the kernel reports that
//! instead of waiting, and a thread reads them. A read that finds only its beginning in the cache
//! returns that much.
//!
//! - This holds for regular files on ext4, xfs, btrfs and other file systems that support
//!   `RWF_NOWAIT`, and on tmpfs. It does not hold for files on a server (NFS), on overlayfs (images
//!   of containers), in `/proc`, or opened with `O_DIRECT`. A file that does not support it is
//!   asked once.
//! - A fiber that reads cached files lets others run after at most 512 KiB.
//! - Opening a file, and everything else that takes a path, may wait for a disk even if the file is
//!   cached, and uses a thread.
//!
//! # Kills and time limits
//!
//! All calls are kill points, and can be interrupted by a time limit, where they wait for a thread.
//! A call that needs none is a kill point only if it lets others run, which it does before it
//! reads. The thread borrows nothing from the fiber, so the fiber leaves immediately. The thread
//! finishes the call: a file may be renamed or half of a directory removed after the call was
//! interrupted. If it opens a file then, the file is closed.
//!
//! A reader or writer that was interrupted may have moved the position of its file.
//!
//! # Example
//!
//! ```
//! use std::io::{BufRead, BufReader};
//!
//! fibra::run(|| -> std::io::Result<()> {
//!     let file = fibra::fs::File::open("Cargo.toml")?;
//!     let lines = BufReader::with_capacity(64 << 10, file).lines();
//!     let sections = lines.map_while(Result::ok).filter(|line| line.starts_with('['));
//!     assert!(3 < sections.count());
//!     Ok(())
//! })?;
//! # std::io::Result::Ok(())
//! ```
//!
//! # Differences from std
//!
//! | std | fibra |
//! |---|---|
//! | one call reads or writes as much as fits | [at most 64 KiB](File#how-much-at-a-time) |
//! | calls on one `&File` from many threads interleave | they take turns |
//! | `File` is the descriptor | [`into_std`](File::into_std) fails while a thread uses it |
//! | [`DirEntry`](std::fs::DirEntry) queries the system directly | [`DirEntry`] uses a thread |
//! | [`std::os::unix::fs::symlink`] | [`symlink`] |
//! | [`File::lock`](std::fs::File::lock) blocks the thread | it blocks [another one](File::lock) |
//! | [`DirBuilder`](std::fs::DirBuilder) | none: use [`blocking`](fn@crate::blocking) |
//!
//! # Not for pipes and terminals
//!
//! They can be opened here. But a read that waits for input occupies a thread of the pool for as
//! long as that takes.

mod cached;
mod dir;
mod file;
mod lock;
mod open_options;
mod path;
mod stream;
mod try_lock_error;

pub use dir::{DirEntry, ReadDir, read_dir};
pub use file::File;
pub use open_options::OpenOptions;
pub use path::{
    canonicalize, copy, create_dir, create_dir_all, exists, hard_link, metadata, read, read_link,
    read_to_string, remove_dir, remove_dir_all, remove_file, rename, set_permissions, symlink,
    symlink_metadata, write,
};
pub use std::fs::{FileTimes, FileType, Metadata, Permissions};
pub use try_lock_error::TryLockError;

use std::io;

use crate::offload;

/// Runs `f` on a thread for files; on a plain thread, calls it directly.
#[track_caller]
fn on_thread<T, F>(f: F) -> io::Result<T>
where
    F: FnOnce() -> io::Result<T> + Send + 'static,
    T: Send + 'static,
{
    offload::files().try_run(f)?
}
