//! The builder of UDP sockets: options that must be set before a socket is bound.

use std::io;
use std::net;

use rustix::net::SocketType;

use crate::net::UdpSocket;
use crate::net::addrs::ToSocketAddrs;
use crate::net::options::{Options, first_of};
use crate::net::resolve::resolve;

/// Options for a UDP socket that is then bound, made by [`UdpSocket::builder`]. An option that is
/// not set is as the system chooses.
///
/// # Examples
///
/// Two sockets at one port, over which Linux distributes the datagrams:
///
/// ```
/// use fibra::net::UdpSocket;
///
/// # fn main() -> std::io::Result<()> {
/// # #[cfg(target_os = "linux")]
/// fibra::run(|| {
///     let builder = UdpSocket::builder().reuse_port(true).recv_buffer_size(1 << 20);
///     let first = builder.bind("127.0.0.1:0")?;
///     let second = builder.bind(first.local_addr()?)?;
///     assert!(second.reuse_port()?);
///     std::io::Result::Ok(())
/// })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it binds"]
pub struct UdpBuilder {
    options: Options,
}

impl UdpSocket {
    /// Creates a builder, for options that must be set before the socket is bound.
    pub fn builder() -> UdpBuilder {
        UdpBuilder { options: Options::default() }
    }
}

impl UdpBuilder {
    /// Chooses whether other sockets may be bound to the same address (`SO_REUSEADDR`), which
    /// several receivers of one multicast group need.
    pub fn reuse_address(mut self, reuse_address: bool) -> UdpBuilder {
        self.options.reuse_address = Some(reuse_address);
        self
    }

    /// Chooses whether several sockets may be bound to one address and port, if all of them ask for
    /// it (`SO_REUSEPORT`; on FreeBSD `SO_REUSEPORT_LB`).
    ///
    /// Linux and FreeBSD distribute datagrams over such sockets, by a hash of both addresses.
    /// Solaris and illumos do not have the option: [`bind`](UdpBuilder::bind) then returns
    /// [`Unsupported`](io::ErrorKind::Unsupported).
    pub fn reuse_port(mut self, reuse_port: bool) -> UdpBuilder {
        self.options.reuse_port = Some(reuse_port);
        self
    }

    /// Chooses whether a socket that is bound to an IPv6 address is closed to IPv4. By default,
    /// `[::]` is open to both on Linux. It has no effect on an IPv4 address.
    pub fn only_v6(mut self, only_v6: bool) -> UdpBuilder {
        self.options.only_v6 = Some(only_v6);
        self
    }

    /// Sets the size of the kernel's buffer for received datagrams, in bytes: see
    /// [`UdpSocket::set_recv_buffer_size`]. Datagrams that do not fit are lost.
    pub fn recv_buffer_size(mut self, size: usize) -> UdpBuilder {
        self.options.recv_buffer_size = Some(size);
        self
    }

    /// Sets the size of the kernel's buffer for datagrams that are sent, in bytes: see
    /// [`UdpSocket::set_send_buffer_size`].
    pub fn send_buffer_size(mut self, size: usize) -> UdpBuilder {
        self.options.send_buffer_size = Some(size);
        self
    }

    /// Binds to the first address of `addr` that can be bound. Like [`UdpSocket::bind`].
    ///
    /// # Errors
    ///
    /// Returns the error of the last address if none can be bound. The error of an option names
    /// the option.
    #[track_caller]
    pub fn bind<A: ToSocketAddrs>(&self, addr: A) -> io::Result<UdpSocket> {
        let socket = first_of(resolve(&addr)?, |addr| self.options.bound(addr, SocketType::DGRAM))?;
        Ok(UdpSocket::from_nonblocking(net::UdpSocket::from(socket)))
    }
}
