//! Waiting until a descriptor that other code owns is ready.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use crate::reactor::source::{Direction, Wait, wait_ready};
use crate::sched::lowlevel::{OnDeadlock, WaitReason};

pub(super) static READABLE: WaitReason =
    WaitReason::new("waiting for a descriptor to be readable", OnDeadlock::Fail).ended_externally();
pub(super) static WRITABLE: WaitReason =
    WaitReason::new("waiting for a descriptor to be writable", OnDeadlock::Fail).ended_externally();

/// Waits until a read from `fd` would not block: there is data, the end of it, or an error.
///
/// It queries the state of the descriptor (`poll(2)`), and so returns immediately if it is readable
/// already, as `select` and gevent's `wait_read` do. It accepts any descriptor that can be polled,
/// even one that belongs to a fibra socket. Another reader may be faster after it has returned: the
/// read itself should be non-blocking.
///
/// Fibers that wait for the same descriptor are woken in the order in which they came, each when
/// the one before it continues. On a plain thread this blocks.
///
/// # Errors
///
/// Returns an error if the descriptor cannot be polled, or there are too many of them.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
///
/// # fn main() -> std::io::Result<()> {
/// fibra::run(|| {
///     let (mut reader, mut writer) = UnixStream::pair()?;
///     fibra::spawn(move || writer.write_all(b"!"));
///     fibra::io::wait_readable(&reader)?; // the other fiber runs meanwhile
///     let mut byte = [0];
///     reader.read_exact(&mut byte)?;
///     assert_eq!(&byte, b"!");
///     Ok(())
/// })
/// # }
/// ```
#[track_caller]
pub fn wait_readable(fd: impl AsFd) -> io::Result<()> {
    let wait = Wait { direction: Direction::Read, timeout: None, reason: &READABLE };
    wait_ready(fd.as_fd(), wait)
}

/// Waits like [`wait_readable`], but waits no longer than `timeout`.
///
/// # Errors
///
/// The same as for [`wait_readable`], and [`TimedOut`](io::ErrorKind::TimedOut).
#[track_caller]
pub fn wait_readable_timeout(fd: impl AsFd, timeout: Duration) -> io::Result<()> {
    let wait = Wait { direction: Direction::Read, timeout: Some(timeout), reason: &READABLE };
    wait_ready(fd.as_fd(), wait)
}

/// Waits until a write to `fd` would not block: there is room for some data, or an error.
///
/// Otherwise like [`wait_readable`].
///
/// # Errors
///
/// The same as for [`wait_readable`].
#[track_caller]
pub fn wait_writable(fd: impl AsFd) -> io::Result<()> {
    let wait = Wait { direction: Direction::Write, timeout: None, reason: &WRITABLE };
    wait_ready(fd.as_fd(), wait)
}

/// Waits like [`wait_writable`], but waits no longer than `timeout`.
///
/// # Errors
///
/// The same as for [`wait_readable`], and [`TimedOut`](io::ErrorKind::TimedOut).
#[track_caller]
pub fn wait_writable_timeout(fd: impl AsFd, timeout: Duration) -> io::Result<()> {
    let wait = Wait { direction: Direction::Write, timeout: Some(timeout), reason: &WRITABLE };
    wait_ready(fd.as_fd(), wait)
}
