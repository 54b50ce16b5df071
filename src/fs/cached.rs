//! Reads that the kernel answers from memory, without another thread.
//!
//! A read of an open file waits only if a part of it is not in the page cache. Linux can be asked
//! for what is there and nothing else (`preadv2` with `RWF_NOWAIT`). That takes as long as a plain
//! read, and is tried first. Only if the kernel would have to wait does the read go to a thread.
//!
//! ```text
//!   count the bytes --> cached? -- yes --> done, maybe short of the end of the buffer
//!                         | no (EAGAIN): a thread reads
//!                         | not supported: noted; a thread reads, and does so from now on
//!                         |   all of the file system is in memory: noted; a plain read, always
//! ```
//!
//! Invariants:
//! - The kernel waits for no device and no server here. Only regular files are asked: the file
//!   systems that answer are those whose pages and sizes are in memory. A file that bypasses the
//!   page cache (`O_DIRECT`) is not asked, because there the flag does not mean that. A plain read
//!   of tmpfs may wait for memory that was swapped out, as any access to memory may.
//! - A result of zero bytes is the end of the file only if the file's size says so as well: Linux
//!   5.9 and 5.10 return zero for pages that are not cached.
//! - What was read is in the caller's buffer, and no kill point follows before the call returns it.

use std::fs::File;
use std::io::{self, Read};
use std::sync::atomic::{AtomicU8, Ordering};

use crate::fs::file::MOST_AT_A_TIME;
use crate::sched::lowlevel::{CurrentFiber, refuse_at_door, spend_many};

/// Number of bytes that count as one operation. Copying them takes about as long as a system call,
/// which is what other operations consist of. So a fiber that reads cached files holds its thread
/// for as long as one that uses sockets: it yields after at most 512 KiB, which take about 60 µs.
const AN_OPERATION: usize = 4 << 10;

/// The place in a file at which a read begins.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "nothing can be asked"))]
pub(super) enum Place {
    /// The position of the open file, which the read moves. The caller has the turn.
    Position,
    /// That many bytes from the beginning.
    At(u64),
}

/// How reads of an open file get what is in memory.
#[derive(Debug)]
pub(super) struct PageCache {
    way: AtomicU8,
}

/// A thread reads the file.
const ON_THREAD: u8 = 0;
/// The kernel is asked for what it has cached.
const ASKING: u8 = 1;
/// The file is read like memory, because its file system is in memory.
const PLAINLY: u8 = 2;

impl PageCache {
    /// Decides that for `file`, which is a regular file or not.
    pub(super) fn of(file: &File, is_regular: bool) -> PageCache {
        let asks = is_regular && kernel::uses_page_cache(file);
        PageCache { way: AtomicU8::new(if asks { ASKING } else { ON_THREAD }) }
    }

    /// Returns the same for another descriptor of the same open file.
    pub(super) fn for_clone(&self) -> PageCache {
        PageCache { way: AtomicU8::new(self.way()) }
    }

    /// Reads from `file` into `buf` on the thread of the current fiber, at most
    /// [`MOST_AT_A_TIME`]. Returns `None` if another thread has to do it. May yield before it
    /// reads, and is a kill point then.
    #[track_caller]
    pub(super) fn read(
        &self,
        current: CurrentFiber,
        file: &File,
        buf: &mut [u8],
        at: Place,
    ) -> Option<usize> {
        // Whether the read must wait is a matter of chance.
        refuse_at_door(current, "for a blocking call");
        if self.way() == ON_THREAD {
            return None;
        }
        let most = buf.len().min(MOST_AT_A_TIME);
        let buf = &mut buf[..most];
        spend_many(current, u32::try_from(most / AN_OPERATION).map_or(u32::MAX, |n| n + 1));
        if self.way() == PLAINLY {
            return kernel::read_plainly(file, buf, at);
        }
        match kernel::read_cached(file, buf, at) {
            Answer::Read(n) => Some(n),
            Answer::NotCached => None,
            Answer::NotSupported if kernel::is_in_memory(file) => {
                self.way.store(PLAINLY, Ordering::Relaxed);
                kernel::read_plainly(file, buf, at)
            }
            Answer::NotSupported => {
                self.way.store(ON_THREAD, Ordering::Relaxed);
                None
            }
        }
    }

    /// Reads as much of the rest of `file` as is cached, and appends it to `buf`. Returns whether
    /// that was all of the rest. The caller has the turn.
    #[track_caller]
    pub(super) fn read_rest(
        &self,
        current: CurrentFiber,
        file: &File,
        buf: &mut Vec<u8>,
    ) -> io::Result<bool> {
        if self.way() != ON_THREAD {
            if let Some(rest) = kernel::length_of_rest(file) {
                buf.try_reserve_exact(rest)?;
            }
        }
        match (Cached { cache: self, current, file }).read_to_end(buf) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn way(&self) -> u8 {
        self.way.load(Ordering::Relaxed)
    }
}

/// A reader of what is cached. It fails with `WouldBlock` where a thread has to continue.
struct Cached<'a> {
    cache: &'a PageCache,
    current: CurrentFiber,
    file: &'a File,
}

impl Read for Cached<'_> {
    #[track_caller]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.cache.read(self.current, self.file, buf, Place::Position);
        read.ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }
}

/// The kernel's answer to a read that must not wait.
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "nothing can be asked"))]
enum Answer {
    /// That many bytes are in the buffer. None are: the file has ended.
    Read(usize),
    /// The kernel would have to wait, or the read fails; a thread gets the error.
    NotCached,
    /// The file system, or the kernel, cannot be asked.
    NotSupported,
}

#[cfg(target_os = "linux")]
mod kernel {
    use std::fs::File;
    use std::io::IoSliceMut;

    use rustix::fs::{AtFlags, OFlags, StatxFlags};
    use rustix::io::{Errno, ReadWriteFlags};

    use super::{Answer, Place};

    /// The offset that stands for the position of the open file.
    const POSITION: u64 = u64::MAX;

    /// The number of tmpfs in the answer of `fstatfs(2)`.
    const TMPFS: rustix::fs::FsWord = 0x0102_1994;

    pub(super) fn uses_page_cache(file: &File) -> bool {
        rustix::fs::fcntl_getfl(file).is_ok_and(|flags| !flags.contains(OFlags::DIRECT))
    }

    /// Reads what is cached.
    pub(super) fn read_cached(file: &File, buf: &mut [u8], at: Place) -> Answer {
        let is_empty = buf.is_empty();
        match read(file, buf, at, ReadWriteFlags::NOWAIT) {
            Ok(0) if !is_empty && !is_at_end(file, at) => Answer::NotCached,
            Ok(n) => Answer::Read(n),
            // `PERM`: a sandbox that forbids calls that it does not know.
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::PERM) => {
                Answer::NotSupported
            }
            Err(_) => Answer::NotCached,
        }
    }

    /// Reads a file that is in memory. Returns `None` if that fails; a thread gets the error.
    pub(super) fn read_plainly(file: &File, buf: &mut [u8], at: Place) -> Option<usize> {
        read(file, buf, at, ReadWriteFlags::empty()).ok()
    }

    /// Returns whether the file system of `file` is in memory.
    pub(super) fn is_in_memory(file: &File) -> bool {
        rustix::fs::fstatfs(file).is_ok_and(|system| system.f_type == TMPFS)
    }

    fn read(
        file: &File,
        buf: &mut [u8],
        at: Place,
        flags: ReadWriteFlags,
    ) -> rustix::io::Result<usize> {
        let offset = match at {
            Place::Position => POSITION,
            // Too large for a file: the thread reports the error.
            Place::At(offset) if i64::try_from(offset).is_err() => return Err(Errno::OVERFLOW),
            Place::At(offset) => offset,
        };
        rustix::io::preadv2(file, &mut [IoSliceMut::new(buf)], offset, flags)
    }

    /// Returns the number of bytes from the position to the end of the file, as far as that is
    /// known without a wait.
    pub(super) fn length_of_rest(file: &File) -> Option<usize> {
        let rest = size(file)?.saturating_sub(rustix::fs::tell(file).ok()?);
        usize::try_from(rest).ok()
    }

    fn is_at_end(file: &File, at: Place) -> bool {
        let at = match at {
            Place::Position => rustix::fs::tell(file).ok(),
            Place::At(offset) => Some(offset),
        };
        at.zip(size(file)).is_some_and(|(at, size)| size <= at)
    }

    /// Returns the size of the file that the kernel has in memory. `DONT_SYNC`: without asking a
    /// server for it.
    fn size(file: &File) -> Option<u64> {
        let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
        let stat = rustix::fs::statx(file, c"", flags, StatxFlags::SIZE).ok()?;
        (stat.stx_mask & StatxFlags::SIZE.bits() != 0).then_some(stat.stx_size)
    }
}

/// Other systems cannot be asked for what they have in memory.
#[cfg(not(target_os = "linux"))]
mod kernel {
    use std::fs::File;

    use super::{Answer, Place};

    pub(super) fn uses_page_cache(_: &File) -> bool {
        false
    }

    pub(super) fn read_cached(_: &File, _: &mut [u8], _: Place) -> Answer {
        Answer::NotCached
    }

    pub(super) fn read_plainly(_: &File, _: &mut [u8], _: Place) -> Option<usize> {
        None
    }

    pub(super) fn is_in_memory(_: &File) -> bool {
        false
    }

    pub(super) fn length_of_rest(_: &File) -> Option<usize> {
        None
    }
}
