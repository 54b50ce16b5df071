//! Pipes by which one part of the crate wakes another.
//!
//! Invariants:
//! - Neither end blocks, and no other program inherits either of them. (Where the system cannot set
//!   both while it creates the pipe, a process that another thread starts in between inherits
//!   them.)

use std::io;
use std::os::fd::OwnedFd;

/// Creates a pipe, and returns its reading end and its writing end.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    use rustix::pipe::{PipeFlags, pipe_with};

    Ok(pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?)
}

/// Creates a pipe, and returns its reading end and its writing end.
#[cfg(target_vendor = "apple")]
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    use rustix::io::{FdFlags, fcntl_setfd, ioctl_fionbio};

    let (reader, writer) = rustix::pipe::pipe()?;
    for end in [&reader, &writer] {
        fcntl_setfd(end, FdFlags::CLOEXEC)?;
        ioctl_fionbio(end, true)?;
    }
    Ok((reader, writer))
}
