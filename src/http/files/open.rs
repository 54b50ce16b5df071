//! Opening a file below a directory, on a thread for files, without leaving that directory.
//!
//! Invariants:
//! - Each directory on the way is opened relative to the one before. Unless links are followed, a
//!   link is an error there, so nobody can replace a directory that was checked.
//! - An open never waits: named pipes are opened without waiting for their other side.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use rustix::fs::{Mode, OFlags};

use crate::http::files::path::Names;
use crate::http::files::plan::{Conditions, Plan, Version};
use crate::offload;

/// The most that is read of a file when it is opened, and at a time later.
pub(super) const CHUNK: usize = 64 << 10;

/// The target of a path.
pub(super) enum Opened {
    File(Planned),
    /// A directory, with a path that does not end with `/`.
    Directory,
}

/// A file, and what is sent of it.
pub(super) struct Planned {
    pub(super) file: File,
    pub(super) version: Version,
    pub(super) plan: Plan,
    /// All that is sent, if it is little.
    pub(super) bytes: Option<Vec<u8>>,
}

/// Opens a file, and decides what is sent of it.
#[track_caller]
pub(super) fn open(
    root: Arc<PathBuf>,
    names: Names,
    links: bool,
    conditions: Conditions,
) -> io::Result<Opened> {
    offload::files().try_run(move || {
        let file = File::from(walk(&root, &names, links)?);
        let metadata = file.metadata()?;
        if metadata.is_dir() && !names.is_index {
            return Ok(Opened::Directory);
        }
        if !metadata.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let version = Version { length: metadata.len(), modified };
        let plan = conditions.plan(&version);
        let bytes = read_little(&file, plan, version.length)?;
        Ok(Opened::File(Planned { file, version, plan, bytes }))
    })?
}

fn walk(root: &PathBuf, names: &Names, links: bool) -> io::Result<OwnedFd> {
    let base = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let below = if links { base } else { base | OFlags::NOFOLLOW };
    let mut place = rustix::fs::open(root, base | OFlags::DIRECTORY, Mode::empty())?;
    let last = names.names.len().saturating_sub(1);
    for (number, name) in names.names.iter().enumerate() {
        let flags = if number == last { below } else { below | OFlags::DIRECTORY };
        place = rustix::fs::openat(&place, name, flags, Mode::empty())?;
    }
    Ok(place)
}

/// Reads all that is sent, if that is one chunk at most.
fn read_little(file: &File, plan: Plan, length: u64) -> io::Result<Option<Vec<u8>>> {
    let (offset, length) = match plan {
        Plan::Whole => (0, length),
        Plan::Part(offset, length) => (offset, length),
        Plan::NotModified | Plan::Unsatisfiable => return Ok(Some(Vec::new())),
    };
    if length > CHUNK as u64 {
        return Ok(None);
    }
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(Some(bytes))
}
