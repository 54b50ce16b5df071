//! The listening side of TCP.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::iter::FusedIterator;
use std::net::{self, SocketAddr};
use std::task::{Context, Poll, ready};

use crate::io::Waitable;
use crate::net::TcpStream;
use crate::net::addrs::ToSocketAddrs;
use crate::net::descriptors::descriptors;
use crate::net::options::{bound_options, buffer_sizes};
use crate::net::sockets;
use crate::reactor::source::{Direction, Wait};
use crate::sched::lowlevel::{OnDeadlock, WaitReason, is_killed};

static ACCEPTING: WaitReason =
    WaitReason::new("accepting a TCP connection", OnDeadlock::Fail).ended_externally();

/// A TCP socket that accepts connections. Like [`std::net::TcpListener`].
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
    /// Like [`std::net::TcpListener::bind`]: for port 0 the system chooses a free port, and an
    /// address may be used again directly after its last listener is closed.
    ///
    /// # Errors
    ///
    /// Returns the error of the last address if none can be bound.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::net::TcpListener;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?; // any free port
    ///     assert_ne!(listener.local_addr()?.port(), 0);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<TcpListener> {
        TcpListener::builder().bind(addr)
    }

    /// Converts a listener of std, which becomes non-blocking, and so do its clones.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be made non-blocking.
    pub fn from_std(listener: net::TcpListener) -> io::Result<TcpListener> {
        Ok(TcpListener { io: Waitable::new(listener)? })
    }

    pub(super) fn from_nonblocking(listener: net::TcpListener) -> TcpListener {
        TcpListener { io: Waitable::from_nonblocking(listener) }
    }

    /// Converts this listener into one of std, which is blocking.
    ///
    /// The underlying socket becomes blocking for all its handles: calls of another one, made by
    /// [`try_clone`](TcpListener::try_clone), may then block their whole thread.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be made blocking.
    pub fn into_std(self) -> io::Result<net::TcpListener> {
        let listener = self.io.into_inner();
        listener.set_nonblocking(false)?;
        Ok(listener)
    }

    /// Waits for a connection, and returns it with the address of the other side.
    ///
    /// # Errors
    ///
    /// Returns an error if the process or the system has no descriptor left, and the network errors
    /// of a connection that waits to be accepted: see
    /// [`accept(2)`](https://man7.org/linux/man-pages/man2/accept.2.html).
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let address = listener.local_addr()?;
    ///     let client = fibra::spawn(move || TcpStream::connect(address)?.local_addr());
    ///     let (_stream, peer) = listener.accept()?;
    ///     assert_eq!(peer, client.join().unwrap()?);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let wait = Wait { direction: Direction::Read, timeout: None, reason: &ACCEPTING };
        let (stream, addr) = self.io.io(wait, accept_now, |_| false)?;
        Ok((TcpStream::from_nonblocking(stream), addr))
    }

    /// Accepts a connection, if one is there. Otherwise the task is woken when one is: the
    /// counterpart of [`accept`](TcpListener::accept) for futures.
    ///
    /// Only the waker of the last call counts: see [`PollIo`](crate::io::PollIo).
    ///
    /// # Errors
    ///
    /// The same as for [`accept`](TcpListener::accept).
    #[track_caller]
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let (stream, addr) = ready!(self.io.poll_read_with(cx, accept_now))?;
        Poll::Ready(Ok((TcpStream::from_nonblocking(stream), addr)))
    }

    /// Returns a future of a connection: [`accept`](TcpListener::accept) for `async` code. Dropping
    /// the future loses no connection.
    ///
    /// # Errors
    ///
    /// The same as for [`accept`](TcpListener::accept).
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::future::block_on;
    /// use fibra::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let address = listener.local_addr()?;
    ///     let client = fibra::spawn(move || TcpStream::connect(address)?.local_addr());
    ///     let (_stream, peer) = block_on(listener.accept_async())?;
    ///     assert_eq!(peer, client.join().unwrap()?);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn accept_async(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// Returns an endless iterator over the connections to this listener, including the errors of
    /// [`accept`](TcpListener::accept).
    ///
    /// Do not ignore errors and continue immediately, as `flatten` would: when no descriptor is
    /// left each call fails, until one is closed. A [`Server`](crate::server::Server) distinguishes
    /// the errors that pass from those that last.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self, killed: false }
    }

    /// Returns the address on which it listens.
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockname(2)`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    /// Creates another handle to the same listener.
    ///
    /// Both refer to the same socket, which is blocking or not for both: see
    /// [`into_std`](TcpListener::into_std).
    ///
    /// # Errors
    ///
    /// Returns an error if no descriptor is left.
    pub fn try_clone(&self) -> io::Result<TcpListener> {
        Ok(TcpListener::from_nonblocking(self.io.get_ref().try_clone()?))
    }

    /// Returns the time to live (number of hops) of packets that are sent.
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockopt(2)`.
    pub fn ttl(&self) -> io::Result<u32> {
        self.io.get_ref().ttl()
    }

    /// Sets the time to live, in hops.
    ///
    /// # Errors
    ///
    /// Returns the errors of `setsockopt(2)`.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.io.get_ref().set_ttl(ttl)
    }

    /// Takes the pending error of the socket.
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockopt(2)`.
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

/// An iterator over the connections to a [`TcpListener`], returned by
/// [`incoming`](TcpListener::incoming). It ends only after the error of a kill that cannot unwind.
///
/// # Examples
///
/// ```
/// use fibra::net::{TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// fibra::run(|| {
///     let listener = TcpListener::bind("127.0.0.1:0")?;
///     let client = TcpStream::connect(listener.local_addr()?)?;
///     for stream in listener.incoming().take(1) {
///         assert_eq!(stream?.peer_addr()?, client.local_addr()?);
///     }
///     Ok(())
/// })
/// # }
/// ```
#[derive(Debug)]
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
    /// Whether the last call returned the error of a kill: each further call would fail
    /// immediately.
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

buffer_sizes!(TcpListener);
bound_options!(TcpListener);
descriptors!(TcpListener, net::TcpListener);
