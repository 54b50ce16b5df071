//! Sockets with std's names and signatures, which park the fiber instead of blocking the thread.
//!
//! | std::net, std::os::unix::net | here | what differs |
//! |---|---|---|
//! | `TcpListener`, `TcpStream` | [`TcpListener`], [`TcpStream`] | see [time limits](#time-limits); several addresses are raced |
//! | `UdpSocket` | [`UdpSocket`] | |
//! | `UnixListener`, `UnixStream` | [`UnixListener`], [`UnixStream`] | a full listener is asked again after pauses |
//! | `UnixDatagram` | [`UnixDatagram`] | a full receiver that it is not connected to is, too |
//! | `Incoming` of Unix sockets | [`UnixIncoming`] | |
//! | `ToSocketAddrs`, `to_socket_addrs` | [`ToSocketAddrs`], [`lookup_host`] | sealed; names are looked up on another thread |
//! | `set_nonblocking` | | the sockets of fibra are not blocking already: `into_std` |
//!
//! `from_std`, `into_std` and `TryFrom` turn them into those of std and back, with all that these can be
//! made of: a socket that was inherited is `TcpListener::from_std(std::net::TcpListener::from(fd))`.
//!
//! All of them are `Send + Sync`: they may be used by several fibers at once, on several threads. Fibers
//! that read one socket are served in the order in which they came, and so are those that write. On a
//! plain thread, outside of [`fibra::run`](crate::run), the same calls block the thread.
//!
//! # Time limits
//!
//! `set_read_timeout` and `set_write_timeout` limit each call, as in std; the error is
//! [`TimedOut`](std::io::ErrorKind::TimedOut) on every system. [`time::timeout`](crate::time::timeout)
//! limits a conversation as a whole, and is what most programs want.
//!
//! # Being killed
//!
//! A call is a kill point where it waits, and now and then where it need not, before it has done
//! anything. What was read is not lost: an operation that has succeeded returns. (`read_exact` and `write_all` are many operations: what they have done so far
//! is lost when they are cut short.) A killed call does not fail with
//! [`Interrupted`](std::io::ErrorKind::Interrupted), which std's loops would take for a reason to try
//! again.

mod addrs;
mod connect;
mod descriptors;
mod limits;
mod polled;
mod resolve;
mod resolver;
mod sockets;
pub(crate) mod split;
mod tcp_listener;
mod tcp_stream;
mod udp;
mod unix_datagram;
mod unix_listener;
mod unix_stream;

pub use addrs::ToSocketAddrs;
pub use resolve::{LookupHost, lookup_host};
pub use resolver::Resolver;
pub use split::{ReadHalf, ReuniteError, WriteHalf};
pub use tcp_listener::{Incoming, TcpListener};
pub use tcp_stream::TcpStream;
pub use udp::UdpSocket;
pub use unix_datagram::UnixDatagram;
pub use unix_listener::{UnixIncoming, UnixListener};
pub use unix_stream::UnixStream;
