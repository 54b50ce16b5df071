//! Datagrams of Unix domain sockets.

use std::fmt;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use crate::io::Waitable;
use crate::net::descriptors::{descriptors, pass_on};
use crate::net::limits::{Limits, limited};
use crate::reactor::retry::{Pauses, retry};
use crate::sched::lowlevel::{OnDeadlock, WaitReason};

static RECEIVING: WaitReason =
    WaitReason::new("receiving from a Unix datagram socket", OnDeadlock::Fail).ended_by_the_world();
static SENDING: WaitReason =
    WaitReason::new("sending to a Unix datagram socket", OnDeadlock::Fail).ended_by_the_world();

/// A socket for messages within one machine. As [`std::os::unix::net::UnixDatagram`].
///
/// Messages are neither lost nor reordered: a sender waits while its receiver's queue is full. Each
/// message is received by one caller; what does not fit into the buffer is lost.
///
/// # Examples
///
/// ```
/// use fibra::net::UnixDatagram;
///
/// # fn main() -> std::io::Result<()> {
/// fibra::run(|| {
///     let (a, b) = UnixDatagram::pair()?;
///     fibra::spawn(move || b.send(b"a message"));
///     let mut buffer = [0; 64];
///     let length = a.recv(&mut buffer)?;
///     assert_eq!(&buffer[..length], b"a message");
///     Ok(())
/// })
/// # }
/// ```
pub struct UnixDatagram {
    io: Waitable<net::UnixDatagram>,
    limits: Limits,
}

impl UnixDatagram {
    /// Makes a socket at `path`.
    ///
    /// # Errors
    ///
    /// If there is a file at `path` already, it cannot be made, or `path` is too long for an address.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixDatagram> {
        UnixDatagram::from_std(net::UnixDatagram::bind(path)?)
    }

    /// Makes a socket with the address `addr`, which may be an abstract one of Linux.
    ///
    /// # Errors
    ///
    /// As [`bind`](UnixDatagram::bind).
    pub fn bind_addr(addr: &SocketAddr) -> io::Result<UnixDatagram> {
        UnixDatagram::from_std(net::UnixDatagram::bind_addr(addr)?)
    }

    /// A socket without a name: it can send, and be answered by none.
    ///
    /// # Errors
    ///
    /// If no descriptor is left.
    pub fn unbound() -> io::Result<UnixDatagram> {
        UnixDatagram::from_std(net::UnixDatagram::unbound()?)
    }

    /// Two sockets that are connected to each other.
    ///
    /// # Errors
    ///
    /// If no descriptor is left.
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (a, b) = net::UnixDatagram::pair()?;
        Ok((UnixDatagram::from_std(a)?, UnixDatagram::from_std(b)?))
    }

    /// Takes a socket of std over. It gets non-blocking, and so do its clones. Its time limits are not
    /// taken over.
    ///
    /// # Errors
    ///
    /// If it cannot be made non-blocking.
    pub fn from_std(socket: net::UnixDatagram) -> io::Result<UnixDatagram> {
        Ok(UnixDatagram { io: Waitable::new(socket)?, limits: Limits::none() })
    }

    /// Gives the socket to std, as a blocking one without time limits.
    ///
    /// What it refers to gets blocking by that, for all its handles: calls of another one, made by
    /// [`try_clone`](UnixDatagram::try_clone), may then block their whole thread.
    ///
    /// # Errors
    ///
    /// If it cannot be made blocking.
    pub fn into_std(self) -> io::Result<net::UnixDatagram> {
        let socket = self.io.into_inner();
        socket.set_nonblocking(false)?;
        Ok(socket)
    }

    /// Another handle to the same socket, with the same time limits to begin with.
    ///
    /// Both refer to the same socket, which is blocking or not for both: see [`into_std`](UnixDatagram::into_std).
    ///
    /// # Errors
    ///
    /// If no descriptor is left.
    pub fn try_clone(&self) -> io::Result<UnixDatagram> {
        let io = Waitable::from_nonblocking(self.io.get_ref().try_clone()?);
        Ok(UnixDatagram { io, limits: self.limits.clone() })
    }

    /// Sets where [`send`](UnixDatagram::send) sends to, and from where messages are received. This
    /// waits for nothing.
    ///
    /// # Errors
    ///
    /// If there is no socket at `path`.
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        self.io.get_ref().connect(path)
    }

    /// As [`connect`](UnixDatagram::connect), to the address `addr`.
    ///
    /// # Errors
    ///
    /// As [`connect`](UnixDatagram::connect).
    pub fn connect_addr(&self, addr: &SocketAddr) -> io::Result<()> {
        self.io.get_ref().connect_addr(addr)
    }

    /// Sends one message to where the socket is connected to, when there is room in its queue. Returns
    /// the message's length.
    ///
    /// # Errors
    ///
    /// If it is not connected, or not any more; [`TimedOut`](io::ErrorKind::TimedOut); if the message
    /// is too long.
    #[track_caller]
    pub fn send(&self, data: &[u8]) -> io::Result<usize> {
        self.io.io(self.writes(), |socket| socket.send(data), |_| false)
    }

    /// Sends one message to the socket at `path`, when there is room in its queue. Returns the
    /// message's length.
    ///
    /// No event tells when there is room in the queue of a socket that this one is not connected to:
    /// it tries again after growing pauses of at most 10 ms. Use [`connect`](UnixDatagram::connect)
    /// and [`send`](UnixDatagram::send) for a receiver that may be slow.
    ///
    /// # Errors
    ///
    /// As [`send`](UnixDatagram::send), and if there is no socket at `path`.
    #[track_caller]
    pub fn send_to<P: AsRef<Path>>(&self, data: &[u8], path: P) -> io::Result<usize> {
        let path = path.as_ref();
        retry(self.writes(), Pauses::FOR_SOCKETS, || self.io.get_ref().send_to(data, path))
    }

    /// As [`send_to`](UnixDatagram::send_to), to the address `addr`.
    ///
    /// # Errors
    ///
    /// As [`send_to`](UnixDatagram::send_to).
    #[track_caller]
    pub fn send_to_addr(&self, data: &[u8], addr: &SocketAddr) -> io::Result<usize> {
        retry(self.writes(), Pauses::FOR_SOCKETS, || self.io.get_ref().send_to_addr(data, addr))
    }

    /// Waits for one message. Returns its length, and 0 when the socket was shut down for reading.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](io::ErrorKind::TimedOut).
    #[track_caller]
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let recv = |socket: &net::UnixDatagram| or_ended(socket.recv(buffer), socket, || Ok(0));
        self.io.io(self.reads(), recv, |_| false)
    }

    /// Waits for one message. Returns its length and where it is from.
    ///
    /// # Errors
    ///
    /// As [`recv`](UnixDatagram::recv).
    #[track_caller]
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let recv = |socket: &net::UnixDatagram| {
            or_ended(socket.recv_from(buffer), socket, || Ok((0, SocketAddr::from_pathname("")?)))
        };
        self.io.io(self.reads(), recv, |_| false)
    }
}

pass_on! { UnixDatagram:
    /// The address of this side.
    ///
    /// # Errors
    ///
    /// Those of `getsockname(2)`.
    fn local_addr(&self) -> SocketAddr;

    /// The address that it is connected to.
    ///
    /// # Errors
    ///
    /// If it is not connected.
    fn peer_addr(&self) -> SocketAddr;

    /// Ends one direction, or both. Fibers that wait in that direction go on: receivers get 0, senders
    /// fail.
    ///
    /// # Errors
    ///
    /// If it is not connected.
    fn shutdown(&self, how: Shutdown) -> ();

    /// Takes the error that the socket holds.
    ///
    /// # Errors
    ///
    /// Those of `getsockopt(2)`.
    fn take_error(&self) -> Option<io::Error>;
}

/// `result` of receiving, or `end` if there will be nothing any more. Linux does not say so to those
/// who do not block.
fn or_ended<T>(
    result: io::Result<T>,
    socket: &net::UnixDatagram,
    end: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock && is_shut(socket)? => end(),
        result => result,
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_shut(socket: &net::UnixDatagram) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut asked = [PollFd::new(socket, PollFlags::RDHUP)];
    poll(&mut asked, Some(&Timespec::default()))?;
    Ok(asked[0].revents().contains(PollFlags::RDHUP))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn is_shut(_: &net::UnixDatagram) -> io::Result<bool> {
    Ok(false)
}

impl fmt::Debug for UnixDatagram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.get_ref().fmt(f)
    }
}

descriptors!(UnixDatagram, net::UnixDatagram);
limited!(UnixDatagram, RECEIVING, SENDING);
