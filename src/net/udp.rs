//! UDP sockets.

use std::fmt;
use std::io;
use std::net::{self, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::io::Waitable;
use crate::net::addrs::ToSocketAddrs;
use crate::net::descriptors::{descriptors, pass_on};
use crate::net::limits::{Limits, limited};
use crate::net::options::{bound_options, buffer_sizes};
use crate::net::resolve::resolve;
use crate::sched::lowlevel::{OnDeadlock, WaitReason};

static RECEIVING: WaitReason =
    WaitReason::new("receiving from a UDP socket", OnDeadlock::Fail).ended_externally();
static SENDING: WaitReason =
    WaitReason::new("sending to a UDP socket", OnDeadlock::Fail).ended_externally();

/// A UDP socket. Like [`std::net::UdpSocket`].
///
/// Each datagram is received by one caller. The part that does not fit into the buffer is lost.
///
/// # Examples
///
/// ```
/// use fibra::net::UdpSocket;
///
/// # fn main() -> std::io::Result<()> {
/// fibra::run(|| {
///     let server = UdpSocket::bind("127.0.0.1:0")?;
///     let address = server.local_addr()?;
///     fibra::spawn(move || {
///         let mut buffer = [0; 64];
///         let (length, from) = server.recv_from(&mut buffer)?;
///         server.send_to(&buffer[..length], from)
///     });
///
///     let client = UdpSocket::bind("127.0.0.1:0")?;
///     client.connect(address)?;
///     client.send(b"echo")?;
///     let mut buffer = [0; 64];
///     assert_eq!(client.recv(&mut buffer)?, 4);
///     Ok(())
/// })
/// # }
/// ```
pub struct UdpSocket {
    pub(super) io: Waitable<net::UdpSocket>,
    limits: Limits,
}

impl UdpSocket {
    /// Binds to the first address of `addr` that can be bound. For port 0 the system chooses a free
    /// port.
    ///
    /// # Errors
    ///
    /// Returns the error of the last address if none can be bound.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let socket = UdpSocket::bind("127.0.0.1:0")?; // any free port
    ///     assert_ne!(socket.local_addr()?.port(), 0);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<UdpSocket> {
        UdpSocket::builder().bind(addr)
    }

    /// Converts a socket of std, which becomes non-blocking, and so do its clones. Its time limits
    /// are not kept.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be made non-blocking.
    pub fn from_std(socket: net::UdpSocket) -> io::Result<UdpSocket> {
        Ok(UdpSocket { io: Waitable::new(socket)?, limits: Limits::none() })
    }

    pub(super) fn from_nonblocking(socket: net::UdpSocket) -> UdpSocket {
        UdpSocket { io: Waitable::from_nonblocking(socket), limits: Limits::none() }
    }

    /// Converts this socket into one of std, which is blocking and has no time limits.
    ///
    /// The underlying socket becomes blocking for all its handles: calls of another one, made by
    /// [`try_clone`](UdpSocket::try_clone), may then block their whole thread.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be made blocking.
    pub fn into_std(self) -> io::Result<net::UdpSocket> {
        let socket = self.io.into_inner();
        socket.set_nonblocking(false)?;
        Ok(socket)
    }

    /// Creates another handle to the same socket, which starts with the same time limits.
    ///
    /// Both refer to the same socket, which is blocking or not for both: see
    /// [`into_std`](UdpSocket::into_std).
    ///
    /// # Errors
    ///
    /// Returns an error if no descriptor is left.
    pub fn try_clone(&self) -> io::Result<UdpSocket> {
        let io = Waitable::from_nonblocking(self.io.get_ref().try_clone()?);
        Ok(UdpSocket { io, limits: self.limits.clone() })
    }

    /// Sets the address to which [`send`](UdpSocket::send) sends, and from which datagrams are
    /// received. This does not wait, except for a name to be looked up.
    ///
    /// # Errors
    ///
    /// Returns the error of the last address of `addr` if none can be used.
    #[track_caller]
    pub fn connect<A: ToSocketAddrs>(&self, addr: A) -> io::Result<()> {
        let addrs: Vec<SocketAddr> = resolve(&addr)?.collect();
        self.io.get_ref().connect(&addrs[..])
    }

    /// Sends one datagram to the connected address. Returns its length.
    ///
    /// # Errors
    ///
    /// Returns an error if the socket is not connected or the datagram is too long,
    /// [`TimedOut`](io::ErrorKind::TimedOut), and the delayed errors of earlier datagrams, such as
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused).
    #[track_caller]
    pub fn send(&self, data: &[u8]) -> io::Result<usize> {
        self.io.io(self.writes(), |socket| socket.send(data), |_| false)
    }

    /// Sends one datagram to the first address of `addr`. Returns its length.
    ///
    /// # Errors
    ///
    /// The same as for [`send`](UdpSocket::send), and if `addr` has no address.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let (a, b) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    ///     a.send_to(b"hello", b.local_addr()?)?;
    ///     let mut buffer = [0; 16];
    ///     let (length, sender) = b.recv_from(&mut buffer)?;
    ///     assert_eq!((&buffer[..length], sender), (&b"hello"[..], a.local_addr()?));
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn send_to<A: ToSocketAddrs>(&self, data: &[u8], addr: A) -> io::Result<usize> {
        let Some(addr) = resolve(&addr)?.next() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no address to send to"));
        };
        self.io.io(self.writes(), |socket| socket.send_to(data, addr), |_| false)
    }

    /// Waits for one datagram from the connected address. Returns its length.
    ///
    /// # Errors
    ///
    /// Returns [`TimedOut`](io::ErrorKind::TimedOut), and the delayed errors of datagrams that were
    /// sent, such as [`ConnectionRefused`](io::ErrorKind::ConnectionRefused).
    #[track_caller]
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.io.io(self.reads(), |socket| socket.recv(buffer), |_| false)
    }

    /// Waits for one datagram. Returns its length and the sender's address.
    ///
    /// # Errors
    ///
    /// The same as for [`recv`](UdpSocket::recv).
    #[track_caller]
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io.io(self.reads(), |socket| socket.recv_from(buffer), |_| false)
    }

    /// Receives like [`recv`](UdpSocket::recv), but leaves the datagram for the next call.
    ///
    /// # Errors
    ///
    /// The same as for [`recv`](UdpSocket::recv).
    #[track_caller]
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.io.io(self.reads(), |socket| socket.peek(buffer), |_| false)
    }

    /// Receives like [`recv_from`](UdpSocket::recv_from), but leaves the datagram for the next
    /// call.
    ///
    /// # Errors
    ///
    /// The same as for [`recv`](UdpSocket::recv).
    #[track_caller]
    pub fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io.io(self.reads(), |socket| socket.peek_from(buffer), |_| false)
    }
}

pass_on! { UdpSocket:
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

    /// Returns whether it may send to broadcast addresses.
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockopt(2)`.
    fn broadcast(&self) -> bool;

    /// Allows or forbids sending to broadcast addresses.
    ///
    /// # Errors
    ///
    /// Returns the errors of `setsockopt(2)`.
    fn set_broadcast(&self, broadcast: bool) -> ();

    /// Returns the time to live (number of hops) of packets that are sent.
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockopt(2)`.
    fn ttl(&self) -> u32;

    /// Sets the time to live, in hops.
    ///
    /// # Errors
    ///
    /// Returns the errors of `setsockopt(2)`.
    fn set_ttl(&self, ttl: u32) -> ();

    /// Returns whether multicast packets are delivered to this host as well. (IPv4)
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockopt(2)`.
    fn multicast_loop_v4(&self) -> bool;

    /// Chooses whether multicast packets are delivered to this host as well. (IPv4)
    ///
    /// # Errors
    ///
    /// Returns the errors of `setsockopt(2)`.
    fn set_multicast_loop_v4(&self, multicast_loop_v4: bool) -> ();

    /// Returns the time to live of multicast packets, in hops. (IPv4)
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockopt(2)`.
    fn multicast_ttl_v4(&self) -> u32;

    /// Sets the time to live of multicast packets, in hops. (IPv4)
    ///
    /// # Errors
    ///
    /// Returns the errors of `setsockopt(2)`.
    fn set_multicast_ttl_v4(&self, multicast_ttl_v4: u32) -> ();

    /// Returns whether multicast packets are delivered to this host as well. (IPv6)
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockopt(2)`.
    fn multicast_loop_v6(&self) -> bool;

    /// Chooses whether multicast packets are delivered to this host as well. (IPv6)
    ///
    /// # Errors
    ///
    /// Returns the errors of `setsockopt(2)`.
    fn set_multicast_loop_v6(&self, multicast_loop_v6: bool) -> ();

    /// Joins the group `multiaddr`, on the network of the local address `interface`, or on any
    /// network if that is unspecified.
    ///
    /// # Errors
    ///
    /// Returns the errors of `setsockopt(2)`.
    fn join_multicast_v4(&self, multiaddr: &Ipv4Addr, interface: &Ipv4Addr) -> ();

    /// Joins the group `multiaddr`, on the interface with the index `interface`, or on any
    /// interface if that is 0.
    ///
    /// # Errors
    ///
    /// Returns the errors of `setsockopt(2)`.
    fn join_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> ();

    /// Leaves a group that it has joined. (IPv4)
    ///
    /// # Errors
    ///
    /// Returns the errors of `setsockopt(2)`.
    fn leave_multicast_v4(&self, multiaddr: &Ipv4Addr, interface: &Ipv4Addr) -> ();

    /// Leaves a group that it has joined. (IPv6)
    ///
    /// # Errors
    ///
    /// Returns the errors of `setsockopt(2)`.
    fn leave_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> ();

    /// Takes the pending error of the socket.
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockopt(2)`.
    fn take_error(&self) -> Option<io::Error>;
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.get_ref().fmt(f)
    }
}

buffer_sizes!(UdpSocket);
bound_options!(UdpSocket);
descriptors!(UdpSocket, net::UdpSocket);
limited!(UdpSocket, RECEIVING, SENDING);
