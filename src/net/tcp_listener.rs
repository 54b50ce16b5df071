//! The side of TCP that waits for connections.

use std::fmt;
use std::io;
use std::iter::FusedIterator;
use std::net::{self, SocketAddr};

use crate::io::Waitable;
use crate::net::TcpStream;
use crate::net::addrs::ToSocketAddrs;
use crate::net::descriptors::descriptors;
use crate::net::resolve::resolve;
use crate::net::sockets;
use crate::reactor::source::{Direction, Wait};
use crate::sched::lowlevel::{OnDeadlock, WaitReason, is_killed};

static ACCEPTING: WaitReason =
    WaitReason::new("accepting a TCP connection", OnDeadlock::Fail).ended_by_the_world();

/// A TCP socket that accepts connections. As [`std::net::TcpListener`].
///
/// # Examples
///
/// An echo server, and a client of it:
///
/// ```
/// use std::io::{self, Read, Write};
/// use fibra::net::{TcpListener, TcpStream};
///
/// # fn main() -> io::Result<()> {
/// fibra::run(|| {
///     let listener = TcpListener::bind("127.0.0.1:0")?;
///     let address = listener.local_addr()?;
///     fibra::spawn(move || {
///         for stream in listener.incoming() {
///             let stream = stream.unwrap();
///             fibra::spawn(move || io::copy(&mut &stream, &mut &stream));
///         }
///     });
///
///     let mut client = TcpStream::connect(address)?;
///     client.write_all(b"hello")?;
///     let mut answer = [0; 5];
///     client.read_exact(&mut answer)?;
///     assert_eq!(&answer, b"hello");
///     Ok(())
/// })
/// # }
/// ```
pub struct TcpListener {
    io: Waitable<net::TcpListener>,
}

impl TcpListener {
    /// Binds to the first address of `addr` that can be bound, and listens.
    ///
    /// As [`std::net::TcpListener::bind`]: port 0 asks the system for a free port, and an address may be
    /// used again directly after its last listener has gone.
    ///
    /// # Errors
    ///
    /// If no address can be bound, that of the last.
    #[track_caller]
    pub fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<TcpListener> {
        let addrs: Vec<SocketAddr> = resolve(&addr)?.collect();
        TcpListener::from_std(net::TcpListener::bind(&addrs[..])?)
    }

    /// Takes a listener of std over. It gets non-blocking, and so do its clones.
    ///
    /// # Errors
    ///
    /// If it cannot be made non-blocking.
    pub fn from_std(listener: net::TcpListener) -> io::Result<TcpListener> {
        Ok(TcpListener { io: Waitable::new(listener)? })
    }

    /// Gives the listener to std, as a blocking one.
    ///
    /// What it refers to gets blocking by that, for all its handles: calls of another one, made by
    /// [`try_clone`](TcpListener::try_clone), may then block their whole thread.
    ///
    /// # Errors
    ///
    /// If it cannot be made blocking.
    pub fn into_std(self) -> io::Result<net::TcpListener> {
        let listener = self.io.into_inner();
        listener.set_nonblocking(false)?;
        Ok(listener)
    }

    /// Waits for a connection, and returns it with the address of the other side.
    ///
    /// # Errors
    ///
    /// If the process or the system has no descriptor left, and those of networks that fail while a
    /// connection waits to be accepted: see [`accept(2)`](https://man7.org/linux/man-pages/man2/accept.2.html).
    #[track_caller]
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let wait = Wait { direction: Direction::Read, timeout: None, reason: &ACCEPTING };
        let (stream, addr) = self.io.io(wait, accept_now, |_| false)?;
        Ok((TcpStream::from_nonblocking(stream), addr))
    }

    /// The connections to this listener, without end; errors of [`accept`](TcpListener::accept) are among them.
    ///
    /// Do not pass over errors and go on at once, as `flatten` would: when no descriptor is left each call fails,
    /// until one is given back. A [`Server`](crate::server::Server) knows which errors pass.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self, killed: false }
    }

    /// The address that it listens at.
    ///
    /// # Errors
    ///
    /// Those of `getsockname(2)`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    /// Another handle to the same listener.
    ///
    /// Both refer to the same socket, which is blocking or not for both: see [`into_std`](TcpListener::into_std).
    ///
    /// # Errors
    ///
    /// If no descriptor is left.
    pub fn try_clone(&self) -> io::Result<TcpListener> {
        Ok(TcpListener { io: Waitable::from_nonblocking(self.io.get_ref().try_clone()?) })
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

fn accept_now(listener: &net::TcpListener) -> io::Result<(net::TcpStream, SocketAddr)> {
    let (stream, addr) = sockets::accept(listener)?;
    let stream = net::TcpStream::from(stream);
    let addr = match addr.map(SocketAddr::try_from) {
        Some(Ok(addr)) => addr,
        _ => stream.peer_addr()?,
    };
    Ok((stream, addr))
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.get_ref().fmt(f)
    }
}

/// The connections to a [`TcpListener`], made by [`incoming`](TcpListener::incoming). It ends only where a
/// kill cannot unwind, with the error that says so.
#[derive(Debug)]
#[must_use = "an iterator does nothing until it is asked"]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
    /// Whether its fiber was killed and was told so: each further call would fail at once.
    killed: bool,
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    #[track_caller]
    fn next(&mut self) -> Option<io::Result<TcpStream>> {
        if self.killed {
            return None;
        }
        let accepted = self.listener.accept();
        self.killed = accepted.as_ref().is_err_and(is_killed);
        Some(accepted.map(|(stream, _)| stream))
    }
}

impl FusedIterator for Incoming<'_> {}

descriptors!(TcpListener, net::TcpListener);
