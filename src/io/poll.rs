//! Streams for futures: operations that do not wait, and wake a task instead.

use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::io::Waitable;
use crate::io::async_traits::{async_read, async_write};
use crate::io::shared::{SharedRead, SharedWrite};
use crate::io::uninit_buf::{Filled, UninitBuf};
use crate::reactor::source::Direction;

/// The operations of a stream for a future: each one tries, and wakes the future's task when it is
/// worth another try.
///
/// Code that is written for fibers does not need this: it reads and writes. This is for bridges to
/// `async` libraries, such as hyper (feature `http`), whose futures read and write in one task and
/// must not wait in the middle of either.
///
/// With the features `futures-io` and `tokio-io`, the streams of this crate also have the traits of
/// these crates: [how to use them](crate::io#streams-for-futures).
///
/// Any waker may be used, and only that of the last call counts, for each direction and each fiber
/// that polls: futures that one fiber polls in turn, each with a waker of its own, do not share a
/// direction of a stream. Outside of fibers, the waker of the last call counts for each direction.
/// Fibers that wait for the same stream are served first.
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
    /// Reads, if that is possible without a wait.
    ///
    /// # Errors
    ///
    /// The same as for a read.
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes, if that is possible without a wait.
    ///
    /// # Errors
    ///
    /// The same as for a write.
    fn poll_write(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>>;

    /// Sends data that was accepted and is not sent yet.
    ///
    /// # Errors
    ///
    /// The same as for a write.
    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Signals the end of the stream to the other side, after all data that was accepted.
    ///
    /// # Errors
    ///
    /// The same as for a write.
    fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Writes from several buffers, in their order, if that is possible without a wait.
    ///
    /// # Errors
    ///
    /// The same as for a write.
    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = data.iter().find(|slice| !slice.is_empty());
        self.poll_write(cx, first.map_or(&[], |slice| slice))
    }

    /// Returns whether [`poll_write_vectored`](PollIo::poll_write_vectored) writes more than the
    /// first buffer.
    fn writes_vectored(&self) -> bool {
        false
    }

    /// Returns the protocol that both sides have agreed on when the connection was made (ALPN), if
    /// this is a stream on which they do so.
    fn alpn_protocol(&self) -> Option<Vec<u8>> {
        None
    }

    /// Reads into memory that may be uninitialised. The default initialises it first; streams of
    /// this crate do not need to.
    #[doc(hidden)]
    fn poll_read_uninit(
        &self,
        cx: &mut Context<'_>,
        mut memory: UninitBuf<'_>,
    ) -> Poll<io::Result<Filled>> {
        let length = ready!(self.poll_read(cx, memory.zeroed()))?;
        Poll::Ready(Ok(memory.claim(length)))
    }
}

/// The reading half of [`PollIo`], which also streams of one direction have.
pub(crate) trait PollRead {
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    #[cfg_attr(not(feature = "tokio-io"), allow(dead_code, reason = "for the traits of tokio"))]
    fn poll_read_uninit(
        &self,
        cx: &mut Context<'_>,
        mut memory: UninitBuf<'_>,
    ) -> Poll<io::Result<Filled>> {
        let length = ready!(self.poll_read(cx, memory.zeroed()))?;
        Poll::Ready(Ok(memory.claim(length)))
    }
}

/// The writing half of [`PollIo`], which also streams of one direction have.
#[cfg_attr(not(feature = "tokio-io"), allow(dead_code, reason = "for the traits of tokio"))]
pub(crate) trait PollWrite {
    fn poll_write(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>>;

    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;

    fn writes_vectored(&self) -> bool;

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// `poll_shutdown` only flushes: for a descriptor of unknown kind the other side reads the end of
/// the stream when the descriptor is closed.
impl<T: AsFd + SharedRead + SharedWrite> PollIo for Waitable<T> {
    #[track_caller]
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        PollRead::poll_read(self, cx, buffer)
    }

    #[track_caller]
    fn poll_write(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        PollWrite::poll_write(self, cx, data)
    }

    #[track_caller]
    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        PollWrite::poll_flush(self, cx)
    }

    #[track_caller]
    fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        PollWrite::poll_shutdown(self, cx)
    }
}

impl<T: AsFd + SharedRead> PollRead for Waitable<T> {
    #[track_caller]
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_io(cx, Direction::Read, |io| io.read_shared(buffer), |_| false)
    }
}

impl<T: AsFd + SharedWrite> PollWrite for Waitable<T> {
    #[track_caller]
    fn poll_write(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_io(cx, Direction::Write, |io| io.write_shared(data), |_| false)
    }

    #[track_caller]
    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_io(cx, Direction::Write, |io| io.write_vectored_shared(data), |_| false)
    }

    fn writes_vectored(&self) -> bool {
        // Whether `T` does is unknown; data in one buffer is right for all of them.
        false
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

/// Implements `PollIo` for pointers to a stream by forwarding all calls, so that one type may
/// represent several kinds of stream.
macro_rules! pointers {
    ($($pointer:ty),*) => {$(
        impl<S: PollIo + ?Sized> PollIo for $pointer {
            #[track_caller]
            fn poll_read(
                &self,
                cx: &mut Context<'_>,
                buffer: &mut [u8],
            ) -> Poll<io::Result<usize>> {
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

            fn alpn_protocol(&self) -> Option<Vec<u8>> {
                (**self).alpn_protocol()
            }

            #[track_caller]
            fn poll_read_uninit(
                &self,
                cx: &mut Context<'_>,
                memory: UninitBuf<'_>,
            ) -> Poll<io::Result<Filled>> {
                (**self).poll_read_uninit(cx, memory)
            }
        }
    )*};
}

pointers! { &S, Box<S>, Rc<S>, Arc<S> }

async_read!(Waitable<T> as PollRead where T: AsFd + SharedRead);
async_write!(Waitable<T> as PollWrite where T: AsFd + SharedWrite);
