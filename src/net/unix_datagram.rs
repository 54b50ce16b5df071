//! Datagram sockets of the Unix domain.

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
    WaitReason::new("receiving from a Unix datagram socket", OnDeadlock::Fail).ended_externally();
static SENDING: WaitReason =
    WaitReason::new("sending to a Unix datagram socket", OnDeadlock::Fail).ended_externally();

/// A socket for messages within one machine. Like [`std::os::unix::net::UnixDatagram`].
///
/// Messages are neither lost nor reordered: a sender waits while its receiver's queue is full. Each
/// message is received by one caller; the part that does not fit into the buffer is lost.
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
    pub(super) io: Waitable<net::UnixDatagram>,
    limits: Limits,
}

impl UnixDatagram {
    /// Creates a socket at `path`.
    ///
    /// # Errors
    ///
    /// Returns an error if there is a file at `path` already, it cannot be created, or `path` is
    /// too long for an address.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixDatagram> {
        UnixDatagram::from_std(net::UnixDatagram::bind(path)?)
    }

    /// Creates a socket with the address `addr`, which may be an abstract address of Linux.
    ///
    /// # Errors
    ///
    /// The same as for [`bind`](UnixDatagram::bind).
    pub fn bind_addr(addr: &SocketAddr) -> io::Result<UnixDatagram> {
        UnixDatagram::from_std(net::UnixDatagram::bind_addr(addr)?)
    }

    /// Creates a socket without a name: it can send, but no one can reply to it.
    ///
    /// # Errors
    ///
    /// Returns an error if no descriptor is left.
    pub fn unbound() -> io::Result<UnixDatagram> {
        UnixDatagram::from_std(net::UnixDatagram::unbound()?)
    }

    /// Creates two sockets that are connected to each other.
    ///
    /// # Errors
    ///
    /// Returns an error if no descriptor is left.
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (a, b) = net::UnixDatagram::pair()?;
        Ok((UnixDatagram::from_std(a)?, UnixDatagram::from_std(b)?))
    }

    /// Converts a socket of std, which becomes non-blocking, and so do its clones. Its time limits
    /// are not kept.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be made non-blocking.
    pub fn from_std(socket: net::UnixDatagram) -> io::Result<UnixDatagram> {
        Ok(UnixDatagram { io: Waitable::new(socket)?, limits: Limits::none() })
    }

    /// Converts this socket into one of std, which is blocking and has no time limits.
    ///
    /// The underlying socket becomes blocking for all its handles: calls of another one, made by
    /// [`try_clone`](UnixDatagram::try_clone), may then block their whole thread.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be made blocking.
    pub fn into_std(self) -> io::Result<net::UnixDatagram> {
        let socket = self.io.into_inner();
        socket.set_nonblocking(false)?;
        Ok(socket)
    }

    /// Creates another handle to the same socket, which starts with the same time limits.
    ///
    /// Both refer to the same socket, which is blocking or not for both: see
    /// [`into_std`](UnixDatagram::into_std).
    ///
    /// # Errors
    ///
    /// Returns an error if no descriptor is left.
    pub fn try_clone(&self) -> io::Result<UnixDatagram> {
        let io = Waitable::from_nonblocking(self.io.get_ref().try_clone()?);
        Ok(UnixDatagram { io, limits: self.limits.clone() })
    }

    /// Sets the address to which [`send`](UnixDatagram::send) sends, and from which messages are
    /// received. This does not wait.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no socket at `path`.
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        self.io.get_ref().connect(path)
    }

    /// Connects like [`connect`](UnixDatagram::connect), to the address `addr`.
    ///
    /// # Errors
    ///
    /// The same as for [`connect`](UnixDatagram::connect).
    pub fn connect_addr(&self, addr: &SocketAddr) -> io::Result<()> {
        self.io.get_ref().connect_addr(addr)
    }

    /// Sends one message to the connected address, once there is room in the receiver's queue.
    /// Returns the message's length.
    ///
    /// # Errors
    ///
    /// Returns an error if the socket is not, or no longer, connected, or the message is too long;
    /// and [`TimedOut`](io::ErrorKind::TimedOut).
    #[track_caller]
    pub fn send(&self, data: &[u8]) -> io::Result<usize> {
        self.io.io(self.writes(), |socket| socket.send(data), |_| false)
    }

    /// Sends one message to the socket at `path`, once there is room in its queue. Returns the
    /// message's length.
    ///
    /// No event reports room in the queue of a socket to which this one is not connected: the call
    /// tries again after growing pauses of at most 10 ms. Use [`connect`](UnixDatagram::connect)
    /// and [`send`](UnixDatagram::send) for a receiver that may be slow.
    ///
    /// # Errors
    ///
    /// The same as for [`send`](UnixDatagram::send), and if there is no socket at `path`.
    #[track_caller]
    pub fn send_to<P: AsRef<Path>>(&self, data: &[u8], path: P) -> io::Result<usize> {
        let path = path.as_ref();
        retry(self.writes(), Pauses::FOR_SOCKETS, || self.io.get_ref().send_to(data, path))
    }

    /// Sends like [`send_to`](UnixDatagram::send_to), to the address `addr`.
    ///
    /// # Errors
    ///
    /// The same as for [`send_to`](UnixDatagram::send_to).
    #[track_caller]
    pub fn send_to_addr(&self, data: &[u8], addr: &SocketAddr) -> io::Result<usize> {
        retry(self.writes(), Pauses::FOR_SOCKETS, || self.io.get_ref().send_to_addr(data, addr))
    }

    /// Waits for one message. Returns its length, or 0 if the socket was shut down for reading.
    ///
    /// # Errors
    ///
    /// Returns [`TimedOut`](io::ErrorKind::TimedOut).
    #[track_caller]
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.io.io(self.reads(), |socket| recv_now(socket, buffer), |_| false)
    }

    /// Waits for one message. Returns its length and the sender's address.
    ///
    /// # Errors
    ///
    /// The same as for [`recv`](UnixDatagram::recv).
    #[track_caller]
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io.io(self.reads(), |socket| recv_from_now(socket, buffer), |_| false)
    }
}

pass_on! { UnixDatagram:
    /// Returns the address of this side.
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockname(2)`.
    fn local_addr(&self) -> SocketAddr;

    /// Returns the address to which it is connected.
    ///
    /// # Errors
    ///
    /// Returns an error if it is not connected.
    fn peer_addr(&self) -> SocketAddr;

    /// Shuts down one direction, or both. Fibers that wait in that direction continue: receivers
    /// get 0, senders fail.
    ///
    /// # Errors
    ///
    /// Returns an error if it is not connected.
    fn shutdown(&self, how: Shutdown) -> ();

    /// Takes the pending error of the socket.
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockopt(2)`.
    fn take_error(&self) -> Option<io::Error>;
}

/// Receives a message, if one is there.
pub(super) fn recv_now(socket: &net::UnixDatagram, buffer: &mut [u8]) -> io::Result<usize> {
    or_ended(socket.recv(buffer), socket, || Ok(0))
}

/// Receives a message and its sender's address, if one is there.
pub(super) fn recv_from_now(
    socket: &net::UnixDatagram,
    buffer: &mut [u8],
) -> io::Result<(usize, SocketAddr)> {
    or_ended(socket.recv_from(buffer), socket, || Ok((0, SocketAddr::from_pathname("")?)))
}

/// Returns `result` of receiving, or `end` if nothing can be received any more, which Linux does
/// not report to a call that does not block.
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
