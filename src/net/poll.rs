//! Sockets for use by futures.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::task::{Context, Poll};

use crate::io::PollIo;
use crate::io::async_traits::{async_read, async_write};
use crate::io::poll::{PollRead, PollWrite};
use crate::io::uninit_buf::{Filled, UninitBuf};
use crate::net::{ReadHalf, TcpStream, UnixStream, WriteHalf, sockets};
use crate::reactor::source::Direction;

/// Implements `PollIo` for a stream. `$is_drained` returns, from how much a call has moved and how
/// much it could have moved, whether the next call would block.
macro_rules! impl_poll_io {
    ($stream:ty, $is_drained:expr) => {
        /// The stream's time limits do not apply to futures.
        impl PollIo for $stream {
            #[track_caller]
            fn poll_read(
                &self,
                cx: &mut Context<'_>,
                buffer: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                let size = buffer.len();
                let drained = |&n: &usize| $is_drained(n, size);
                self.io.poll_io(
                    cx,
                    Direction::Read,
                    |stream| sockets::recv(stream, buffer),
                    drained,
                )
            }

            #[track_caller]
            fn poll_write(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
                let drained = |&n: &usize| $is_drained(n, data.len());
                self.io.poll_io(cx, Direction::Write, |stream| sockets::send(stream, data), drained)
            }

            fn poll_flush(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_shutdown(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(ignore_not_connected(self.shutdown(Shutdown::Write)))
            }

            #[track_caller]
            fn poll_write_vectored(
                &self,
                cx: &mut Context<'_>,
                data: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                let all = data.iter().map(|slice| slice.len()).sum();
                let drained = |&n: &usize| $is_drained(n, all);
                self.io.poll_io(
                    cx,
                    Direction::Write,
                    |stream| sockets::send_vectored(stream, data),
                    drained,
                )
            }

            fn writes_vectored(&self) -> bool {
                true
            }

            #[track_caller]
            fn poll_read_uninit(
                &self,
                cx: &mut Context<'_>,
                mut memory: UninitBuf<'_>,
            ) -> Poll<io::Result<Filled>> {
                let size = memory.size();
                let drained = |filled: &Filled| $is_drained(filled.length(), size);
                self.io.poll_io(cx, Direction::Read, |stream| memory.recv(stream), drained)
            }
        }

        async_read!($stream as PollIo);
        async_write!($stream as PollIo);
    };
}

// A short read means that the socket's buffer is now empty, so that the next read would block. Zero
// bytes is the end of the stream, which every later read returns as well.
impl_poll_io!(TcpStream, |n: usize, size: usize| 0 < n && n < size);
// A short read may end at a message with descriptors, and more data may follow.
impl_poll_io!(UnixStream, |_: usize, _: usize| false);

impl<S: PollIo> PollRead for ReadHalf<S> {
    #[track_caller]
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.get_ref().poll_read(cx, buffer)
    }

    #[track_caller]
    fn poll_read_uninit(
        &self,
        cx: &mut Context<'_>,
        memory: UninitBuf<'_>,
    ) -> Poll<io::Result<Filled>> {
        self.get_ref().poll_read_uninit(cx, memory)
    }
}

impl<S: PollIo> PollWrite for WriteHalf<S> {
    #[track_caller]
    fn poll_write(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.get_ref().poll_write(cx, data)
    }

    #[track_caller]
    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_ref().poll_write_vectored(cx, data)
    }

    fn writes_vectored(&self) -> bool {
        self.get_ref().writes_vectored()
    }

    #[track_caller]
    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_ref().poll_flush(cx)
    }

    #[track_caller]
    fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_ref().poll_shutdown(cx)
    }
}

async_read!(ReadHalf<S> as PollRead where S: PollIo);
async_write!(WriteHalf<S> as PollWrite where S: PollIo);

fn ignore_not_connected(result: io::Result<()>) -> io::Result<()> {
    match result {
        // The other side has closed the connection already, so it needs no notice.
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
        result => result,
    }
}
