//! A descriptor with its state in the reactor: the basis of sockets, pipes and foreign handles.
//!
//! Invariants:
//! - The descriptor is non-blocking for as long as it is in a `Waitable`.
//! - Every scheduler that registered the descriptor is notified before it is closed or given back.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::task::{Context, Poll};

use crate::io::by_reference::{
    read_by_reference, read_exactly, write_by_reference, write_entirely,
};
use crate::io::readiness::Readiness;
use crate::io::shared::{SharedRead, SharedWrite};
use crate::io::wait::{READABLE, WRITABLE};
use crate::reactor::source::{Direction, Source, Wait};

/// A file descriptor whose operations park the fiber instead of blocking the thread.
///
/// `T` is the owner of the descriptor. If `&T` can be read from or written to, so can this and a
/// reference to it; other operations go through [`read_with`](Waitable::read_with) and
/// [`write_with`](Waitable::write_with).
///
/// It can be used from several fibers and, if `T` can, from several threads, with or without
/// schedulers. Fibers that wait for the same direction are served in the order in which they came.
///
/// # Examples
///
/// A pair of sockets of std between two fibers:
///
/// ```
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
/// use fibra::io::Waitable;
///
/// # fn main() -> std::io::Result<()> {
/// fibra::run(|| {
///     let (reader, writer) = UnixStream::pair()?;
///     let (mut reader, mut writer) = (Waitable::new(reader)?, Waitable::new(writer)?);
///     fibra::spawn(move || writer.write_all(b"from std"));
///     let mut text = String::new();
///     reader.read_to_string(&mut text)?;
///     assert_eq!(text, "from std");
///     Ok(())
/// })
/// # }
/// ```
pub struct Waitable<T: AsFd> {
    /// The owner of the descriptor; `None` only once it is dropped or given back.
    io: Option<T>,
    source: Source,
}

impl<T: AsFd> Waitable<T> {
    /// Wraps `io`, and makes its descriptor non-blocking. (That is a property of the open file:
    /// duplicates of the descriptor, in other processes as well, become non-blocking too. Do not
    /// use this for a terminal, where `stdout` is a duplicate of `stdin`: see
    /// [`fibra::io::stdin`](crate::io::stdin()).)
    ///
    /// # Errors
    ///
    /// Returns an error if the descriptor cannot be made non-blocking.
    pub fn new(io: T) -> io::Result<Waitable<T>> {
        rustix::io::ioctl_fionbio(io.as_fd(), true)?;
        Ok(Waitable::from_nonblocking(io))
    }

    /// Wraps an `io` that is non-blocking already.
    pub(crate) fn from_nonblocking(io: T) -> Waitable<T> {
        Waitable { io: Some(io), source: Source::new() }
    }

    /// Returns the owner of the descriptor.
    #[allow(clippy::missing_panics_doc, reason = "only its owner takes it out")]
    #[inline]
    pub fn get_ref(&self) -> &T {
        let Some(io) = &self.io else { unreachable!("it is taken out by its owner only") };
        io
    }

    /// Returns the owner of the descriptor, which stays non-blocking.
    ///
    /// Making it blocking affects its duplicates as well: a `Waitable` around one of these then
    /// blocks its whole thread where it should park the fiber.
    #[allow(clippy::missing_panics_doc, reason = "only its owner takes it out")]
    pub fn into_inner(mut self) -> T {
        self.source.close(self.get_ref().as_fd());
        let Some(io) = self.io.take() else { unreachable!("it is taken out by its owner only") };
        io
    }

    /// Waits until a read would not block. Like
    /// [`fibra::io::wait_readable`](crate::io::wait_readable).
    ///
    /// # Errors
    ///
    /// The same as for [`fibra::io::wait_readable`](crate::io::wait_readable).
    #[track_caller]
    pub fn wait_readable(&self) -> io::Result<()> {
        let wait = Wait { direction: Direction::Read, timeout: None, reason: &READABLE };
        self.source.ready(self.as_fd(), wait)
    }

    /// Waits until a write would not block. Like
    /// [`fibra::io::wait_writable`](crate::io::wait_writable).
    ///
    /// # Errors
    ///
    /// The same as for [`fibra::io::wait_writable`](crate::io::wait_writable).
    #[track_caller]
    pub fn wait_writable(&self) -> io::Result<()> {
        let wait = Wait { direction: Direction::Write, timeout: None, reason: &WRITABLE };
        self.source.ready(self.as_fd(), wait)
    }

    /// Calls `op` until it does not fail with [`WouldBlock`](io::ErrorKind::WouldBlock), and waits
    /// in between until the descriptor is readable.
    ///
    /// # Errors
    ///
    /// Returns the errors of `op`, and an error if the descriptor cannot be polled.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::io::Waitable;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let (a, b) = std::os::unix::net::UnixDatagram::pair()?;
    ///     let a = Waitable::new(a)?;
    ///     fibra::spawn(move || b.send(b"datagram"));
    ///     let mut buffer = [0; 16];
    ///     let length = a.read_with(|a| a.recv(&mut buffer))?;
    ///     assert_eq!(&buffer[..length], b"datagram");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn read_with<R>(&self, mut op: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        let wait = Wait { direction: Direction::Read, timeout: None, reason: &READABLE };
        self.source.foreign_io(self.as_fd(), wait, || op(self.get_ref()))
    }

    /// Calls `op` like [`read_with`](Waitable::read_with), but waits until the descriptor is
    /// writable.
    ///
    /// # Errors
    ///
    /// Returns the errors of `op`, and an error if the descriptor cannot be polled.
    #[track_caller]
    pub fn write_with<R>(&self, mut op: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        let wait = Wait { direction: Direction::Write, timeout: None, reason: &WRITABLE };
        self.source.foreign_io(self.as_fd(), wait, || op(self.get_ref()))
    }

    /// Returns a future that is ready when a read would not block: the counterpart of
    /// [`wait_readable`](Waitable::wait_readable).
    pub fn readable(&self) -> Readiness<'_> {
        Readiness::new(&self.source, self.as_fd(), Direction::Read)
    }

    /// Returns a future that is ready when a write would not block: the counterpart of
    /// [`wait_writable`](Waitable::wait_writable).
    pub fn writable(&self) -> Readiness<'_> {
        Readiness::new(&self.source, self.as_fd(), Direction::Write)
    }

    /// Calls `op` if the descriptor may be readable. If `op` fails with
    /// [`WouldBlock`](io::ErrorKind::WouldBlock), the task is woken when it is: the counterpart of
    /// [`read_with`](Waitable::read_with) for futures.
    ///
    /// Only the waker of the last call counts: see [`PollIo`](crate::io::PollIo).
    ///
    /// # Errors
    ///
    /// Returns the errors of `op`, and an error if the descriptor cannot be polled.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use std::os::unix::net::UnixDatagram;
    /// use fibra::future::block_on;
    /// use fibra::io::Waitable;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let (a, b) = UnixDatagram::pair()?;
    ///     let a = Waitable::new(a)?;
    ///     fibra::spawn(move || b.send(b"datagram"));
    ///     let mut buffer = [0; 16];
    ///     let length = block_on(poll_fn(|cx| a.poll_read_with(cx, |a| a.recv(&mut buffer))))?;
    ///     assert_eq!(&buffer[..length], b"datagram");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn poll_read_with<R>(
        &self,
        cx: &mut Context<'_>,
        op: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_io(cx, Direction::Read, op, |_| false)
    }

    /// Calls `op` like [`poll_read_with`](Waitable::poll_read_with), if the descriptor may be
    /// writable.
    ///
    /// # Errors
    ///
    /// Returns the errors of `op`, and an error if the descriptor cannot be polled.
    #[track_caller]
    pub fn poll_write_with<R>(
        &self,
        cx: &mut Context<'_>,
        op: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_io(cx, Direction::Write, op, |_| false)
    }

    /// Runs an operation of this crate, which does not wait by itself.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn io<R>(
        &self,
        wait: Wait,
        mut op: impl FnMut(&T) -> io::Result<R>,
        drained: impl Fn(&R) -> bool,
    ) -> io::Result<R> {
        let io = self.get_ref();
        self.source.io(io.as_fd(), wait, || op(io), drained)
    }

    /// Writes no data, which may fail and never waits: as in std, `WouldBlock` is not an error
    /// then.
    pub(crate) fn write_nothing(
        &self,
        mut op: impl FnMut(&T) -> io::Result<usize>,
    ) -> io::Result<usize> {
        match op(self.get_ref()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            result => result,
        }
    }

    /// Runs an operation for a future: see [`PollIo`](crate::io::PollIo).
    #[track_caller]
    pub(crate) fn poll_io<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut op: impl FnMut(&T) -> io::Result<R>,
        drained: impl Fn(&R) -> bool,
    ) -> Poll<io::Result<R>> {
        let io = self.get_ref();
        self.source.poll_io(cx, io.as_fd(), direction, || op(io), drained)
    }
}

impl<T: AsFd> Drop for Waitable<T> {
    fn drop(&mut self) {
        if let Some(io) = &self.io {
            self.source.close(io.as_fd());
        }
    }
}

impl<T: AsFd> AsFd for Waitable<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

impl<T: AsFd> AsRawFd for Waitable<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl<T: AsFd + fmt::Debug> fmt::Debug for Waitable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Waitable").field(self.get_ref()).finish()
    }
}

read_by_reference!(Waitable<T> where T: AsFd + SharedRead);
write_by_reference!(Waitable<T> where T: AsFd + SharedWrite);

impl<T: AsFd + SharedRead> Read for &Waitable<T> {
    read_exactly!();

    #[track_caller]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_with(|io| io.read_shared(buffer))
    }

    #[track_caller]
    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.read_with(|io| io.read_vectored_shared(buffers))
    }
}

impl<T: AsFd + SharedWrite> Write for &Waitable<T> {
    write_entirely!();

    #[track_caller]
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if data.is_empty() {
            return self.write_nothing(|io| io.write_shared(data));
        }
        self.write_with(|io| io.write_shared(data))
    }

    #[track_caller]
    fn write_vectored(&mut self, data: &[IoSlice<'_>]) -> io::Result<usize> {
        if data.iter().all(|slice| slice.is_empty()) {
            return self.write_nothing(|io| io.write_vectored_shared(data));
        }
        self.write_with(|io| io.write_vectored_shared(data))
    }

    #[track_caller]
    fn flush(&mut self) -> io::Result<()> {
        self.write_with(|io| io.flush_shared())
    }
}
