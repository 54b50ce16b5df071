//! Streams as futures have them: operations that do not wait, and wake a task instead.

use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::io::Waitable;
use crate::io::room::{Filled, Room};
use crate::io::shared::{SharedRead, SharedWrite};
use crate::reactor::source::Direction;

/// What a stream can do for a future: try, and wake the future's task when it is worth another try.
///
/// Code that is written for fibers needs none of this: it reads and writes. This is for bridges to
/// `async` libraries, such as [`fibra::http`](crate::http), whose futures read and write
/// in one task and must not wait in the middle of either.
///
/// The calls work inside of fibers only. The waker may be anybody's, and only that of the last call counts, for each
/// direction and each fiber that polls: futures that one fiber polls in turn, each with a waker of its own, do not
/// share a direction of a stream. Fibers that wait for the same stream are served first.
///
/// # Examples
///
/// ```
/// use std::future::poll_fn;
/// use std::io::Write;
/// use fibra::future::block_on;
/// use fibra::io::{PollIo, Waitable};
///
/// # fn main() -> std::io::Result<()> {
/// fibra::run(|| {
///     let (a, mut b) = std::os::unix::net::UnixStream::pair()?;
///     let a = Waitable::new(a)?;
///     fibra::spawn(move || b.write_all(b"ready"));
///     let mut buffer = [0; 16];
///     let length = block_on(poll_fn(|cx| a.poll_read(cx, &mut buffer)))?;
///     assert_eq!(&buffer[..length], b"ready");
///     Ok(())
/// })
/// # }
/// ```
pub trait PollIo {
    /// Reads, if that needs no wait.
    ///
    /// # Errors
    ///
    /// As a read.
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes, if that needs no wait.
    ///
    /// # Errors
    ///
    /// As a write.
    fn poll_write(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>>;

    /// Sends what was accepted and is not sent yet.
    ///
    /// # Errors
    ///
    /// As a write.
    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Tells the other side, after all that was accepted, that nothing will follow.
    ///
    /// # Errors
    ///
    /// As a write.
    fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Writes from several buffers, in their order, if that needs no wait.
    ///
    /// # Errors
    ///
    /// As a write.
    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = data.iter().find(|slice| !slice.is_empty());
        self.poll_write(cx, first.map_or(&[], |slice| slice))
    }

    /// Whether [`poll_write_vectored`](PollIo::poll_write_vectored) writes more than the first buffer.
    fn writes_vectored(&self) -> bool {
        false
    }

    /// Reads into memory that need hold nothing. Only streams of this crate save something by it.
    #[doc(hidden)]
    fn poll_read_room(&self, cx: &mut Context<'_>, mut room: Room<'_>) -> Poll<io::Result<Filled>> {
        let length = ready!(self.poll_read(cx, room.zeroed()))?;
        Poll::Ready(Ok(room.claim(length)))
    }
}

/// The end of a descriptor of unknown kind is told when it is closed.
impl<T: AsFd + SharedRead + SharedWrite> PollIo for Waitable<T> {
    #[track_caller]
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_io(cx, Direction::Read, |io| io.read_shared(buffer), |_| false)
    }

    #[track_caller]
    fn poll_write(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_io(cx, Direction::Write, |io| io.write_shared(data), |_| false)
    }

    #[track_caller]
    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_io(cx, Direction::Write, SharedWrite::flush_shared, |()| false)
    }

    #[track_caller]
    fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

/// What points to a stream passes all calls on to it: so one type may stand for streams of several.
macro_rules! pointers {
    ($($pointer:ty),*) => {$(
        impl<S: PollIo + ?Sized> PollIo for $pointer {
            #[track_caller]
            fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
                (**self).poll_read(cx, buffer)
            }

            #[track_caller]
            fn poll_write(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
                (**self).poll_write(cx, data)
            }

            #[track_caller]
            fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                (**self).poll_flush(cx)
            }

            #[track_caller]
            fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                (**self).poll_shutdown(cx)
            }

            #[track_caller]
            fn poll_write_vectored(
                &self,
                cx: &mut Context<'_>,
                data: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                (**self).poll_write_vectored(cx, data)
            }

            fn writes_vectored(&self) -> bool {
                (**self).writes_vectored()
            }

            #[track_caller]
            fn poll_read_room(&self, cx: &mut Context<'_>, room: Room<'_>) -> Poll<io::Result<Filled>> {
                (**self).poll_read_room(cx, room)
            }
        }
    )*};
}

pointers! { &S, Box<S>, Rc<S>, Arc<S> }
