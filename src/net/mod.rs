//! Sockets with std's names and signatures, which park the fiber instead of blocking the thread.
//!
//! | std | fibra | differences |
//! |---|---|---|
//! | `TcpListener`, `TcpStream` | [`TcpListener`], [`TcpStream`] | several addresses are raced |
//! | `UdpSocket` | [`UdpSocket`] | |
//! | `UnixListener` | [`UnixListener`] | |
//! | `UnixStream` | [`UnixStream`] | see [`connect`](UnixStream::connect) |
//! | `UnixDatagram` | [`UnixDatagram`] | see [`send_to`](UnixDatagram::send_to) |
//! | `Incoming` of Unix sockets | [`UnixIncoming`] | |
//! | `ToSocketAddrs` | [`ToSocketAddrs`] | sealed |
//! | `to_socket_addrs` | [`lookup_host`] | names are looked up on another thread |
//! | | [`TcpBuilder`], [`UdpBuilder`] | options that std cannot set |
//! | `set_nonblocking` | | `into_std`: fibra's sockets are always non-blocking |
//!
//! `from_std`, `into_std` and `TryFrom` convert from and to the types of std, with everything from
//! which those can be made: an inherited socket is
//! `TcpListener::from_std(std::net::TcpListener::from(fd))`.
//!
//! All of them are `Send + Sync`: several fibers, on several threads, may use one socket at the
//! same time. Fibers that read one socket are served in the order in which they came, and so are
//! those that write. On a plain thread, outside of [`fibra::run`](crate::run), the same calls block
//! the thread.
//!
//! # Time limits
//!
//! `set_read_timeout` and `set_write_timeout` limit each call, as in std; the error is
//! [`TimedOut`](std::io::ErrorKind::TimedOut) on every system.
//! [`time::timeout`](crate::time::timeout) limits a whole exchange, and is what most programs need.
//!
//! # Futures
//!
//! `connect_async`, `accept_async`, `recv_async` and their relatives are the same calls as futures,
//! and `poll_accept`, `poll_recv` and so on are for futures of your own. Streams also have the
//! traits of other crates: see [`beside_async`](crate::guide::beside_async). Time limits of a
//! socket do not apply to futures.
//!
//! # Being killed
//!
//! A call is a kill point where it waits, and occasionally where it does not need to wait; in
//! either case before it has done anything. An operation that has succeeded returns, so no data
//! that was read is lost. (`read_exact` and `write_all` are many operations: what they have done so
//! far is lost when they are interrupted.) A killed call does not fail with
//! [`Interrupted`](std::io::ErrorKind::Interrupted), which the loops of std would take for a
//! request to try again.

mod addrs;
mod connect;
mod connect_async;
mod datagram_poll;
mod descriptors;
mod keepalive;
mod limits;
mod options;
mod poll;
mod resolve;
mod resolver;
pub(crate) mod sockets;
pub(crate) mod split;
mod tcp_builder;
mod tcp_listener;
mod tcp_stream;
mod tcp_stream_options;
mod udp;
mod udp_builder;
mod unix_datagram;
mod unix_listener;
mod unix_stream;

pub use addrs::ToSocketAddrs;
pub use keepalive::Keepalive;
pub use resolve::{LookupHost, lookup_host};
pub use resolver::Resolver;
pub use split::{ReadHalf, ReuniteError, WriteHalf};
pub use tcp_builder::TcpBuilder;
pub use tcp_listener::{Incoming, TcpListener};
pub use tcp_stream::TcpStream;
pub use udp::UdpSocket;
pub use udp_builder::UdpBuilder;
pub use unix_datagram::UnixDatagram;
pub use unix_listener::{UnixIncoming, UnixListener};
pub use unix_stream::UnixStream;
