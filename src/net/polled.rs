//! Sockets as futures have them.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::task::{Context, Poll};

use crate::io::PollIo;
use crate::io::room::{Filled, Room};
use crate::net::{TcpStream, UnixStream, sockets};
use crate::reactor::source::Direction;

/// Implements `PollIo` for a stream. `$is_drained` tells from how much a call has moved, and how much it
/// could have, that the next would block.
macro_rules! polled {
    ($stream:ty, $is_drained:expr) => {
        /// Its time limits are not for futures.
        impl PollIo for $stream {
            #[track_caller]
            fn poll_read(
                &self,
                cx: &mut Context<'_>,
                buffer: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                let room = buffer.len();
                let drained = |&n: &usize| $is_drained(n, room);
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
                Poll::Ready(unless_gone(self.shutdown(Shutdown::Write)))
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
            fn poll_read_room(
                &self,
                cx: &mut Context<'_>,
                mut room: Room<'_>,
            ) -> Poll<io::Result<Filled>> {
                let size = room.size();
                let drained = |filled: &Filled| $is_drained(filled.length(), size);
                self.io.poll_io(cx, Direction::Read, |stream| room.recv(stream), drained)
            }
        }
    };
}

// Less than there is room for is all there is; nothing at all is the end, which stays.
polled!(TcpStream, |n: usize, room: usize| 0 < n && n < room);
// A short read ends where a message with descriptors does, and more may be behind it.
polled!(UnixStream, |_: usize, _: usize| false);

fn unless_gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        // The other side has gone already, and knows.
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
        result => result,
    }
}
