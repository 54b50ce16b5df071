//! TCP connections.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{self, Shutdown, SocketAddr};
use std::time::Duration;

use crate::io::Waitable;
use crate::io::by_reference::{
    read_by_reference, read_exactly, write_by_reference, write_entirely,
};
use crate::net::addrs::ToSocketAddrs;
use crate::net::connect;
use crate::net::descriptors::descriptors;
use crate::net::limits::{Limits, limited};
use crate::net::resolve::resolve;
use crate::net::sockets;
use crate::net::split::{self, ReadHalf, Shut, WriteHalf};
use crate::sched::lowlevel::{OnDeadlock, WaitReason};

static READING: WaitReason =
    WaitReason::new("reading from a TCP stream", OnDeadlock::Fail).ended_by_the_world();
static WRITING: WaitReason =
    WaitReason::new("writing to a TCP stream", OnDeadlock::Fail).ended_by_the_world();

/// A TCP connection. As [`std::net::TcpStream`].
///
/// It is closed when it is dropped. A reference to it can be read from and written to as well, so one
/// fiber may read while another writes; [`into_split`](TcpStream::into_split) gives each its own half.
pub struct TcpStream {
    pub(super) io: Waitable<net::TcpStream>,
    limits: Limits,
}

impl TcpStream {
    /// Connects to `addr`, and if that has several addresses to whichever answers first.
    ///
    /// In a fiber names are looked up on another thread, and the addresses are tried as RFC 8305 ("Happy Eyeballs")
    /// says: IPv6 and IPv4 in turn, the next one when one has failed or has not answered for 250 ms.
    /// On a plain thread they are tried one after the other.
    ///
    /// # Errors
    ///
    /// If no address can be reached, that of the last attempt to fail.
    #[track_caller]
    pub fn connect<A: ToSocketAddrs>(addr: A) -> io::Result<TcpStream> {
        connect::first_to_answer(resolve(&addr)?.collect()).map(TcpStream::from_nonblocking)
    }

    /// Connects to one address, within `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](io::ErrorKind::TimedOut), and why the address cannot be reached.
    #[track_caller]
    pub fn connect_timeout(addr: &SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        connect::to(*addr, Some(timeout)).map(TcpStream::from_nonblocking)
    }

    /// Takes a stream of std over. It gets non-blocking, and so do its clones. Its time limits are not
    /// taken over.
    ///
    /// # Errors
    ///
    /// If it cannot be made non-blocking.
    pub fn from_std(stream: net::TcpStream) -> io::Result<TcpStream> {
        Ok(TcpStream { io: Waitable::new(stream)?, limits: Limits::none() })
    }

    pub(super) fn from_nonblocking(stream: net::TcpStream) -> TcpStream {
        TcpStream { io: Waitable::from_nonblocking(stream), limits: Limits::none() }
    }

    /// Gives the stream to std, as a blocking one without time limits.
    ///
    /// What it refers to gets blocking by that, for all its handles: another one, made by
    /// [`try_clone`](TcpStream::try_clone), goes on to wait without blocking its thread, but other programs and crates that
    /// share the socket see the change.
    ///
    /// # Errors
    ///
    /// If it cannot be made blocking.
    pub fn into_std(self) -> io::Result<net::TcpStream> {
        let stream = self.io.into_inner();
        stream.set_nonblocking(false)?;
        Ok(stream)
    }

    /// Another handle to the same connection, with the same time limits to begin with.
    ///
    /// Both refer to the same socket, which is blocking or not for both: see [`into_std`](TcpStream::into_std).
    ///
    /// # Errors
    ///
    /// If no descriptor is left.
    pub fn try_clone(&self) -> io::Result<TcpStream> {
        let io = Waitable::from_nonblocking(self.io.get_ref().try_clone()?);
        Ok(TcpStream { io, limits: self.limits.clone() })
    }

    /// Takes the connection apart, for one fiber that reads and another that writes. When the half for
    /// writing is dropped, the other side is told that nothing will follow.
    pub fn into_split(self) -> (ReadHalf<TcpStream>, WriteHalf<TcpStream>) {
        split::split(self, Shut { shut: |stream| stream.shutdown(Shutdown::Write), waits: false })
    }

    /// Reads without taking what is read: the next read gives it again.
    ///
    /// # Errors
    ///
    /// As a read.
    #[track_caller]
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.io.io(self.reads(), |stream| sockets::peek(stream, buffer), |_| false)
    }

    /// The address of the other side.
    ///
    /// # Errors
    ///
    /// If it is not connected any more.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().peer_addr()
    }

    /// The address of this side.
    ///
    /// # Errors
    ///
    /// Those of `getsockname(2)`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    /// Ends one direction, or both. Fibers that wait in that direction go on: reads return 0, writes
    /// fail.
    ///
    /// # Errors
    ///
    /// If it is not connected any more.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.io.get_ref().shutdown(how)
    }

    /// Whether small writes are sent at once, instead of being collected (Nagle's algorithm).
    ///
    /// # Errors
    ///
    /// Those of `getsockopt(2)`.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.io.get_ref().nodelay()
    }

    /// Sends small writes at once, or collects them.
    ///
    /// # Errors
    ///
    /// Those of `setsockopt(2)`.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.io.get_ref().set_nodelay(nodelay)
    }

    /// The time to live (number of hops) of packets that are sent.
    ///
    /// # Errors
    ///
    /// Those of `getsockopt(2)`.
    pub fn ttl(&self) -> io::Result<u32> {
        self.io.get_ref().ttl()
    }

    /// Sets the time to live, in hops.
    ///
    /// # Errors
    ///
    /// Those of `setsockopt(2)`.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.io.get_ref().set_ttl(ttl)
    }

    /// Takes the error that the socket holds.
    ///
    /// # Errors
    ///
    /// Those of `getsockopt(2)`.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.get_ref().take_error()
    }
}

read_by_reference!(TcpStream);
write_by_reference!(TcpStream);

impl Read for &TcpStream {
    read_exactly!();

    #[inline(always)]
    #[track_caller]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len();
        // Less than there is room for is all there is; nothing at all is the end, which stays.
        self.io.io(self.reads(), |stream| sockets::recv(stream, buffer), |&n| 0 < n && n < room)
    }

    #[track_caller]
    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.io.io(self.reads(), |stream| sockets::recv_vectored(stream, buffers), |_| false)
    }
}

impl Write for &TcpStream {
    write_entirely!();

    #[inline(always)]
    #[track_caller]
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if data.is_empty() {
            return self.io.write_nothing(|stream| sockets::send(stream, data));
        }
        self.io.io(self.writes(), |stream| sockets::send(stream, data), |&n| n < data.len())
    }

    #[track_caller]
    fn write_vectored(&mut self, data: &[IoSlice<'_>]) -> io::Result<usize> {
        let write = |stream: &net::TcpStream| sockets::send_vectored(stream, data);
        if data.iter().all(|slice| slice.is_empty()) {
            return self.io.write_nothing(write);
        }
        self.io.io(self.writes(), write, |_| false)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.get_ref().fmt(f)
    }
}

descriptors!(TcpStream, net::TcpStream);
limited!(TcpStream, READING, WRITING);
