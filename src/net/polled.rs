//! Sockets as futures have them.

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::task::{Context, Poll};

use crate::io::PollIo;
use crate::io::room::{Filled, Room};
use crate::net::{TcpStream, UnixStream};
use crate::reactor::source::Direction;

/// Its time limits are not for futures.
impl PollIo for TcpStream {
    #[track_caller]
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let room = buffer.len();
        let drained = |&n: &usize| 0 < n && n < room;
        self.io.poll_io(cx, Direction::Read, |mut stream| stream.read(buffer), drained)
    }

    #[track_caller]
    fn poll_write(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let drained = |&n: &usize| n < data.len();
        self.io.poll_io(cx, Direction::Write, |mut stream| stream.write(data), drained)
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
        let all: usize = data.iter().map(|slice| slice.len()).sum();
        let drained = |&n: &usize| n < all;
        self.io.poll_io(cx, Direction::Write, |mut stream| stream.write_vectored(data), drained)
    }

    fn writes_vectored(&self) -> bool {
        true
    }

    #[track_caller]
    fn poll_read_room(&self, cx: &mut Context<'_>, mut room: Room<'_>) -> Poll<io::Result<Filled>> {
        let size = room.size();
        let drained = |filled: &Filled| 0 < filled.length() && filled.length() < size;
        self.io.poll_io(cx, Direction::Read, |stream| room.recv(stream), drained)
    }
}

/// Its time limits are not for futures.
impl PollIo for UnixStream {
    #[track_caller]
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.io.poll_io(cx, Direction::Read, |mut stream| stream.read(buffer), |_| false)
    }

    #[track_caller]
    fn poll_write(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.io.poll_io(cx, Direction::Write, |mut stream| stream.write(data), |_| false)
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
        self.io.poll_io(cx, Direction::Write, |mut stream| stream.write_vectored(data), |_| false)
    }

    fn writes_vectored(&self) -> bool {
        true
    }

    #[track_caller]
    fn poll_read_room(&self, cx: &mut Context<'_>, mut room: Room<'_>) -> Poll<io::Result<Filled>> {
        self.io.poll_io(cx, Direction::Read, |stream| room.recv(stream), |_| false)
    }
}

fn unless_gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        // The other side has gone already, and knows.
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
        result => result,
    }
}
