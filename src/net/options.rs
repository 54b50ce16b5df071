//! Options of sockets: those that a builder sets on a new socket, and the methods for those that
//! may be read or changed later.
//!
//! Invariants:
//! - Options are set before the socket is bound, connected or listens: most have no effect later.
//! - An option that a system lacks is an error when it is asked for, and is not ignored.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType, bind, sockopt};

use crate::net::keepalive::Keepalive;
use crate::net::sockets;

/// The options that a builder has collected. `None` leaves an option as the system sets it.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    pub(super) reuse_address: Option<bool>,
    pub(super) reuse_port: Option<bool>,
    pub(super) only_v6: Option<bool>,
    pub(super) recv_buffer_size: Option<usize>,
    pub(super) send_buffer_size: Option<usize>,
    pub(super) nodelay: Option<bool>,
    pub(super) keepalive: Option<Keepalive>,
    pub(super) linger: Option<Duration>,
}

impl Options {
    /// Creates a non-blocking socket for `addr` and its family, with these options.
    pub(super) fn socket(&self, addr: SocketAddr, kind: SocketType) -> io::Result<OwnedFd> {
        let family = if addr.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = sockets::socket(family, kind)?;
        // An IPv4 socket is never open to IPv6: it needs no such option, and has none.
        let only_v6 = self.only_v6.filter(|_| addr.is_ipv6());
        set("only_v6", only_v6, |on| Ok(sockopt::set_ipv6_v6only(&socket, on)?))?;
        set("reuse_address", self.reuse_address, |on| {
            Ok(sockopt::set_socket_reuseaddr(&socket, on)?)
        })?;
        set("reuse_port", self.reuse_port, |on| set_reuse_port(&socket, on))?;
        set("recv_buffer_size", self.recv_buffer_size, |size| set_recv_buffer_size(&socket, size))?;
        set("send_buffer_size", self.send_buffer_size, |size| set_send_buffer_size(&socket, size))?;
        set("nodelay", self.nodelay, |on| Ok(sockopt::set_tcp_nodelay(&socket, on)?))?;
        set("keepalive", self.keepalive, |keepalive| keepalive.set(&socket))?;
        set("linger", self.linger, |linger| {
            Ok(sockopt::set_socket_linger(&socket, Some(linger))?)
        })?;
        Ok(socket)
    }

    /// Creates a socket that is bound to `addr`.
    pub(super) fn bound(&self, addr: SocketAddr, kind: SocketType) -> io::Result<OwnedFd> {
        let socket = self.socket(addr, kind)?;
        bind(&socket, &addr)?;
        Ok(socket)
    }
}

/// Returns the first value that `f` returns for one of `addrs`.
///
/// # Errors
///
/// Returns the error for the last address if there is no value.
pub(super) fn first_of<T>(
    addrs: impl Iterator<Item = SocketAddr>,
    f: impl Fn(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "no address to bind to");
    for addr in addrs {
        match f(addr) {
            Ok(value) => return Ok(value),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Sets an option that was asked for. The error names it.
fn set<T>(name: &str, value: Option<T>, set: impl FnOnce(T) -> io::Result<()>) -> io::Result<()> {
    let Some(value) = value else { return Ok(()) };
    set(value).map_err(|error| {
        io::Error::new(error.kind(), format!("cannot set `{name}` of the socket: {error}"))
    })
}

/// Sets the size of the receive buffer.
pub(super) fn set_recv_buffer_size(socket: impl AsFd, size: usize) -> io::Result<()> {
    Ok(sockopt::set_socket_recv_buffer_size(socket, size)?)
}

/// Sets the size of the send buffer.
pub(super) fn set_send_buffer_size(socket: impl AsFd, size: usize) -> io::Result<()> {
    Ok(sockopt::set_socket_send_buffer_size(socket, size)?)
}

// FreeBSD distributes connections with an option of its own: with `SO_REUSEPORT` the socket that
// was bound last gets all of them.
#[cfg(target_os = "freebsd")]
fn set_reuse_port(socket: &OwnedFd, on: bool) -> io::Result<()> {
    Ok(sockopt::set_socket_reuseport_lb(socket, on)?)
}

#[cfg(target_os = "freebsd")]
pub(super) fn reuse_port(socket: impl AsFd) -> io::Result<bool> {
    Ok(sockopt::socket_reuseport_lb(socket)?)
}

#[cfg(not(any(
    target_os = "freebsd",
    target_os = "solaris",
    target_os = "illumos",
    target_os = "cygwin"
)))]
fn set_reuse_port(socket: &OwnedFd, on: bool) -> io::Result<()> {
    Ok(sockopt::set_socket_reuseport(socket, on)?)
}

#[cfg(not(any(
    target_os = "freebsd",
    target_os = "solaris",
    target_os = "illumos",
    target_os = "cygwin"
)))]
pub(super) fn reuse_port(socket: impl AsFd) -> io::Result<bool> {
    Ok(sockopt::socket_reuseport(socket)?)
}

#[cfg(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))]
fn set_reuse_port(_: &OwnedFd, on: bool) -> io::Result<()> {
    if on { Err(io::ErrorKind::Unsupported.into()) } else { Ok(()) }
}

#[cfg(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))]
pub(super) fn reuse_port(_: impl AsFd) -> io::Result<bool> {
    Ok(false)
}

/// Implements the methods for the sizes of a socket's buffers.
macro_rules! buffer_sizes {
    ($socket:ty) => {
        impl $socket {
            /// Returns the size of the kernel's buffer for received data, in bytes.
            ///
            /// # Errors
            ///
            /// Returns the errors of `getsockopt(2)`.
            pub fn recv_buffer_size(&self) -> ::std::io::Result<usize> {
                Ok(::rustix::net::sockopt::socket_recv_buffer_size(self)?)
            }

            /// Sets the size of the kernel's buffer for received data (`SO_RCVBUF`), in bytes.
            ///
            /// The kernel adjusts the number: Linux doubles it, for its own records, and keeps it
            /// below `net.core.rmem_max`. A TCP socket whose size is set is no longer tuned by the
            /// kernel. Large buffers have to be set on the listener, before connections exist.
            ///
            /// # Errors
            ///
            /// Returns the errors of `setsockopt(2)`.
            pub fn set_recv_buffer_size(&self, size: usize) -> ::std::io::Result<()> {
                $crate::net::options::set_recv_buffer_size(self, size)
            }

            /// Returns the size of the kernel's buffer for data that is sent, in bytes.
            ///
            /// # Errors
            ///
            /// Returns the errors of `getsockopt(2)`.
            pub fn send_buffer_size(&self) -> ::std::io::Result<usize> {
                Ok(::rustix::net::sockopt::socket_send_buffer_size(self)?)
            }

            /// Sets the size of the kernel's buffer for data that is sent (`SO_SNDBUF`), in bytes.
            ///
            /// The kernel adjusts the number: see
            /// [`set_recv_buffer_size`](Self::set_recv_buffer_size).
            ///
            /// # Errors
            ///
            /// Returns the errors of `setsockopt(2)`.
            pub fn set_send_buffer_size(&self, size: usize) -> ::std::io::Result<()> {
                $crate::net::options::set_send_buffer_size(self, size)
            }
        }
    };
}
pub(super) use buffer_sizes;

/// Implements the methods that return what was set before a socket was bound.
macro_rules! bound_options {
    ($socket:ty) => {
        impl $socket {
            /// Returns whether the address may be bound again while old connections of it are in
            /// their last state, or, for UDP, while other sockets are bound to it.
            ///
            /// # Errors
            ///
            /// Returns the errors of `getsockopt(2)`.
            pub fn reuse_address(&self) -> ::std::io::Result<bool> {
                Ok(::rustix::net::sockopt::socket_reuseaddr(self)?)
            }

            /// Returns whether several sockets may be bound to the address and port.
            ///
            /// # Errors
            ///
            /// Returns the errors of `getsockopt(2)`.
            pub fn reuse_port(&self) -> ::std::io::Result<bool> {
                $crate::net::options::reuse_port(self)
            }

            /// Returns whether an IPv6 socket is closed to IPv4.
            ///
            /// # Errors
            ///
            /// Returns the errors of `getsockopt(2)`, among them that of an IPv4 socket, which has
            /// no such option.
            pub fn only_v6(&self) -> ::std::io::Result<bool> {
                Ok(::rustix::net::sockopt::ipv6_v6only(self)?)
            }
        }
    };
}
pub(super) use bound_options;
