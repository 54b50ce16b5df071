//! Files and folders, as [`std::fs`] has them; a fiber that uses them lets others run meanwhile.
//!
//! Operating systems have no way to ask when a file can be read without waiting. So each call here
//! runs on a thread of a pool that the process keeps for files (four for each core, or 16 if that is
//! more), apart from those of [`blocking`](fn@crate::blocking). That takes about 10 µs a call. Whoever
//! does many small steps makes them in one: with [`read`], [`write`](write()), a
//! [`BufReader`](std::io::BufReader), or `blocking` around a function that uses `std::fs`. On plain
//! threads the calls are those of std.
//!
//! # Kills and time limits
//!
//! All calls are kill points, and can be left by a time limit. Nothing of the fiber is lent to the
//! thread, so it leaves at once. What the thread has begun it brings to its end: a file may be renamed
//! or half of a folder removed after the call was left. What it opened then is closed.
//!
//! A reader or writer that was left in the middle may have moved the position of its file.
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
//! | std | here |
//! |---|---|
//! | one call reads or writes as much as fits | at most [64 KiB](File#how-much-at-a-time): the bytes go to the thread and back in a buffer of their own |
//! | calls on one `&File` from many threads meet in the kernel | they take turns, first come first served |
//! | `File` is the descriptor | is one, and [`into_std`](File::into_std) may have to say that a call which was left still uses it |
//! | [`DirEntry`](std::fs::DirEntry) asks the system on the spot | [`DirEntry`] asks on a thread, too |
//! | [`std::os::unix::fs::symlink`] | [`symlink`] |
//! | [`File::lock`](std::fs::File::lock) keeps the thread waiting | keeps [a thread of its own](File::lock) waiting |
//! | [`DirBuilder`](std::fs::DirBuilder) | not here: [`blocking`](fn@crate::blocking) around std's |
//!
//! # Not for pipes and terminals
//!
//! They can be opened here. But a read that waits for somebody to type takes a thread of the pool for
//! as long as that takes.

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

/// Runs `f` on a thread for files; on a plain thread here.
#[track_caller]
fn on_thread<T, F>(f: F) -> io::Result<T>
where
    F: FnOnce() -> io::Result<T> + Send + 'static,
    T: Send + 'static,
{
    offload::files().try_run(f)?
}
