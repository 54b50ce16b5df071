//! UDP.

use std::fmt;
use std::io;
use std::net::{self, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::io::Waitable;
use crate::net::addrs::ToSocketAddrs;
use crate::net::descriptors::{descriptors, pass_on};
use crate::net::limits::{Limits, limited};
use crate::net::resolve::resolve;
use crate::sched::lowlevel::{OnDeadlock, WaitReason};

static RECEIVING: WaitReason =
    WaitReason::new("receiving from a UDP socket", OnDeadlock::Fail).ended_by_the_world();
static SENDING: WaitReason =
    WaitReason::new("sending to a UDP socket", OnDeadlock::Fail).ended_by_the_world();

/// A UDP socket. As [`std::net::UdpSocket`].
///
/// Each datagram is received by one caller. What does not fit into the buffer is lost.
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
    io: Waitable<net::UdpSocket>,
    limits: Limits,
}

impl UdpSocket {
    /// Binds to the first address of `addr` that can be bound. Port 0 asks the system for a free one.
    ///
    /// # Errors
    ///
    /// If no address can be bound, that of the last.
    #[track_caller]
    pub fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<UdpSocket> {
        let addrs: Vec<SocketAddr> = resolve(&addr)?.collect();
        UdpSocket::from_std(net::UdpSocket::bind(&addrs[..])?)
    }

    /// Takes a socket of std over. It gets non-blocking, and so do its clones. Its time limits are not
    /// taken over.
    ///
    /// # Errors
    ///
    /// If it cannot be made non-blocking.
    pub fn from_std(socket: net::UdpSocket) -> io::Result<UdpSocket> {
        Ok(UdpSocket { io: Waitable::new(socket)?, limits: Limits::none() })
    }

    /// Gives the socket to std, as a blocking one without time limits.
    ///
    /// What it refers to gets blocking by that, for all its handles: calls of another one, made by
    /// [`try_clone`](UdpSocket::try_clone), may then block their whole thread.
    ///
    /// # Errors
    ///
    /// If it cannot be made blocking.
    pub fn into_std(self) -> io::Result<net::UdpSocket> {
        let socket = self.io.into_inner();
        socket.set_nonblocking(false)?;
        Ok(socket)
    }

    /// Another handle to the same socket, with the same time limits to begin with.
    ///
    /// Both refer to the same socket, which is blocking or not for both: see [`into_std`](UdpSocket::into_std).
    ///
    /// # Errors
    ///
    /// If no descriptor is left.
    pub fn try_clone(&self) -> io::Result<UdpSocket> {
        let io = Waitable::from_nonblocking(self.io.get_ref().try_clone()?);
        Ok(UdpSocket { io, limits: self.limits.clone() })
    }

    /// Sets where [`send`](UdpSocket::send) sends to, and from where datagrams are received. This
    /// waits for nothing (but for a name to be looked up).
    ///
    /// # Errors
    ///
    /// If no address of `addr` will do, that of the last.
    #[track_caller]
    pub fn connect<A: ToSocketAddrs>(&self, addr: A) -> io::Result<()> {
        let addrs: Vec<SocketAddr> = resolve(&addr)?.collect();
        self.io.get_ref().connect(&addrs[..])
    }

    /// Sends one datagram to where the socket is connected to. Returns its length.
    ///
    /// # Errors
    ///
    /// If it is not connected; [`TimedOut`](io::ErrorKind::TimedOut); if the datagram is too long; and
    /// what became of earlier ones, such as
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused).
    #[track_caller]
    pub fn send(&self, data: &[u8]) -> io::Result<usize> {
        self.io.io(self.writes(), |socket| socket.send(data), |_| false)
    }

    /// Sends one datagram to the first address of `addr`. Returns its length.
    ///
    /// # Errors
    ///
    /// As [`send`](UdpSocket::send), and if `addr` has no address.
    #[track_caller]
    pub fn send_to<A: ToSocketAddrs>(&self, data: &[u8], addr: A) -> io::Result<usize> {
        let Some(addr) = resolve(&addr)?.next() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no address to send to"));
        };
        self.io.io(self.writes(), |socket| socket.send_to(data, addr), |_| false)
    }

    /// Waits for one datagram from where the socket is connected to. Returns its length.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](io::ErrorKind::TimedOut), and what became of datagrams that were sent, such as
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused).
    #[track_caller]
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.io.io(self.reads(), |socket| socket.recv(buffer), |_| false)
    }

    /// Waits for one datagram. Returns its length and where it is from.
    ///
    /// # Errors
    ///
    /// As [`recv`](UdpSocket::recv).
    #[track_caller]
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io.io(self.reads(), |socket| socket.recv_from(buffer), |_| false)
    }

    /// As [`recv`](UdpSocket::recv), but leaves the datagram for the next call.
    ///
    /// # Errors
    ///
    /// As [`recv`](UdpSocket::recv).
    #[track_caller]
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.io.io(self.reads(), |socket| socket.peek(buffer), |_| false)
    }

    /// As [`recv_from`](UdpSocket::recv_from), but leaves the datagram for the next call.
    ///
    /// # Errors
    ///
    /// As [`recv`](UdpSocket::recv).
    #[track_caller]
    pub fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io.io(self.reads(), |socket| socket.peek_from(buffer), |_| false)
    }
}

pass_on! { UdpSocket:
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

    /// Whether it may send to broadcast addresses.
    ///
    /// # Errors
    ///
    /// Those of `getsockopt(2)`.
    fn broadcast(&self) -> bool;

    /// Lets it send to broadcast addresses, or not.
    ///
    /// # Errors
    ///
    /// Those of `setsockopt(2)`.
    fn set_broadcast(&self, broadcast: bool) -> ();

    /// The time to live (number of hops) of packets that are sent.
    ///
    /// # Errors
    ///
    /// Those of `getsockopt(2)`.
    fn ttl(&self) -> u32;

    /// Sets the time to live, in hops.
    ///
    /// # Errors
    ///
    /// Those of `setsockopt(2)`.
    fn set_ttl(&self, ttl: u32) -> ();

    /// Whether multicast packets are delivered to this host as well. (IPv4)
    ///
    /// # Errors
    ///
    /// Those of `getsockopt(2)`.
    fn multicast_loop_v4(&self) -> bool;

    /// Delivers multicast packets to this host as well, or not. (IPv4)
    ///
    /// # Errors
    ///
    /// Those of `setsockopt(2)`.
    fn set_multicast_loop_v4(&self, multicast_loop_v4: bool) -> ();

    /// The time to live of multicast packets, in hops. (IPv4)
    ///
    /// # Errors
    ///
    /// Those of `getsockopt(2)`.
    fn multicast_ttl_v4(&self) -> u32;

    /// Sets the time to live of multicast packets, in hops. (IPv4)
    ///
    /// # Errors
    ///
    /// Those of `setsockopt(2)`.
    fn set_multicast_ttl_v4(&self, multicast_ttl_v4: u32) -> ();

    /// Whether multicast packets are delivered to this host as well. (IPv6)
    ///
    /// # Errors
    ///
    /// Those of `getsockopt(2)`.
    fn multicast_loop_v6(&self) -> bool;

    /// Delivers multicast packets to this host as well, or not. (IPv6)
    ///
    /// # Errors
    ///
    /// Those of `setsockopt(2)`.
    fn set_multicast_loop_v6(&self, multicast_loop_v6: bool) -> ();

    /// Joins the group `multiaddr`, on the network of the local address `interface`, or of any if that
    /// is unspecified.
    ///
    /// # Errors
    ///
    /// Those of `setsockopt(2)`.
    fn join_multicast_v4(&self, multiaddr: &Ipv4Addr, interface: &Ipv4Addr) -> ();

    /// Joins the group `multiaddr`, on the interface with the index `interface`, or any if that is 0.
    ///
    /// # Errors
    ///
    /// Those of `setsockopt(2)`.
    fn join_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> ();

    /// Leaves a group that it has joined.
    ///
    /// # Errors
    ///
    /// Those of `setsockopt(2)`.
    fn leave_multicast_v4(&self, multiaddr: &Ipv4Addr, interface: &Ipv4Addr) -> ();

    /// Leaves a group that it has joined.
    ///
    /// # Errors
    ///
    /// Those of `setsockopt(2)`.
    fn leave_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> ();

    /// Takes the error that the socket holds.
    ///
    /// # Errors
    ///
    /// Those of `getsockopt(2)`.
    fn take_error(&self) -> Option<io::Error>;
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.get_ref().fmt(f)
    }
}

descriptors!(UdpSocket, net::UdpSocket);
limited!(UdpSocket, RECEIVING, SENDING);
