//! The listening side of Unix domain sockets.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::iter::FusedIterator;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;
use std::task::{Context, Poll, ready};

use crate::io::Waitable;
use crate::net::UnixStream;
use crate::net::descriptors::{descriptors, pass_on};
use crate::reactor::source::{Direction, Wait};
use crate::sched::lowlevel::{OnDeadlock, WaitReason, is_killed};

static ACCEPTING: WaitReason =
    WaitReason::new("accepting a connection to a Unix socket", OnDeadlock::Fail).ended_externally();

/// A Unix domain socket that accepts connections. Like [`std::os::unix::net::UnixListener`].
///
/// Dropping it leaves its file in place, as in std.
///
/// # Examples
///
/// ```
/// use std::io::{self, Read, Write};
/// use fibra::net::{UnixListener, UnixStream};
///
/// # fn main() -> io::Result<()> {
/// fibra::run(|| {
///     let path = std::env::temp_dir().join(format!("echo-{}.socket", std::process::id()));
///     let listener = UnixListener::bind(&path)?;
///     fibra::spawn(move || {
///         for stream in listener.incoming() {
///             let stream = stream.unwrap();
///             fibra::spawn(move || io::copy(&mut &stream, &mut &stream));
///         }
///     });
///
///     let mut client = UnixStream::connect(&path)?;
///     client.write_all(b"hello")?;
///     let mut answer = [0; 5];
///     client.read_exact(&mut answer)?;
///     assert_eq!(&answer, b"hello");
///     std::fs::remove_file(&path)
/// })
/// # }
/// ```
pub struct UnixListener {
    io: Waitable<net::UnixListener>,
}

impl UnixListener {
    /// Creates a socket at `path`, and listens.
    ///
    /// # Errors
    ///
    /// Returns an error if there is a file at `path` already, it cannot be created, or `path` is
    /// too long for an address.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixListener> {
        UnixListener::from_std(net::UnixListener::bind(path)?)
    }

    /// Listens on `addr`, which may be an abstract address of Linux.
    ///
    /// # Errors
    ///
    /// The same as for [`bind`](UnixListener::bind).
    pub fn bind_addr(addr: &SocketAddr) -> io::Result<UnixListener> {
        UnixListener::from_std(net::UnixListener::bind_addr(addr)?)
    }

    /// Converts a listener of std, which becomes non-blocking, and so do its clones.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be made non-blocking.
    pub fn from_std(listener: net::UnixListener) -> io::Result<UnixListener> {
        Ok(UnixListener { io: Waitable::new(listener)? })
    }

    /// Converts this listener into one of std, which is blocking.
    ///
    /// The underlying socket becomes blocking for all its handles: calls of another one, made by
    /// [`try_clone`](UnixListener::try_clone), may then block their whole thread.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be made blocking.
    pub fn into_std(self) -> io::Result<net::UnixListener> {
        let listener = self.io.into_inner();
        listener.set_nonblocking(false)?;
        Ok(listener)
    }

    /// Waits for a connection, and returns it with the address of the other side, which usually has
    /// no name.
    ///
    /// # Errors
    ///
    /// Returns an error if the process or the system has no descriptor left.
    #[track_caller]
    pub fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let wait = Wait { direction: Direction::Read, timeout: None, reason: &ACCEPTING };
        let (stream, addr) = self.io.io(wait, net::UnixListener::accept, |_| false)?;
        Ok((UnixStream::from_std(stream)?, addr))
    }

    /// Accepts a connection, if one is there. Otherwise the task is woken when one is: the
    /// counterpart of [`accept`](UnixListener::accept) for futures.
    ///
    /// Only the waker of the last call counts: see [`PollIo`](crate::io::PollIo).
    ///
    /// # Errors
    ///
    /// The same as for [`accept`](UnixListener::accept).
    #[track_caller]
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(UnixStream, SocketAddr)>> {
        let accepted = self.io.poll_read_with(cx, net::UnixListener::accept);
        let (stream, addr) = ready!(accepted)?;
        Poll::Ready(Ok((UnixStream::from_std(stream)?, addr)))
    }

    /// Returns a future of a connection: [`accept`](UnixListener::accept) for `async` code.
    /// Dropping the future loses no connection.
    ///
    /// # Errors
    ///
    /// The same as for [`accept`](UnixListener::accept).
    pub async fn accept_async(&self) -> io::Result<(UnixStream, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// Returns an endless iterator over the connections to this listener, including the errors of
    /// [`accept`](UnixListener::accept).
    ///
    /// Do not ignore errors and continue immediately, as `flatten` would: when no descriptor is
    /// left each call fails, until one is closed. A [`Server`](crate::server::Server) distinguishes
    /// the errors that pass from those that last.
    pub fn incoming(&self) -> UnixIncoming<'_> {
        UnixIncoming { listener: self, killed: false }
    }

    /// Creates another handle to the same listener.
    ///
    /// Both refer to the same socket, which is blocking or not for both: see
    /// [`into_std`](UnixListener::into_std).
    ///
    /// # Errors
    ///
    /// Returns an error if no descriptor is left.
    pub fn try_clone(&self) -> io::Result<UnixListener> {
        Ok(UnixListener { io: Waitable::from_nonblocking(self.io.get_ref().try_clone()?) })
    }
}

pass_on! { UnixListener:
    /// Returns the address on which it listens.
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockname(2)`.
    fn local_addr(&self) -> SocketAddr;

    /// Takes the pending error of the socket.
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockopt(2)`.
    fn take_error(&self) -> Option<io::Error>;
}

impl fmt::Debug for UnixListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.get_ref().fmt(f)
    }
}

/// An iterator over the connections to a [`UnixListener`], returned by
/// [`incoming`](UnixListener::incoming). It ends only after the error of a kill that cannot unwind.
///
/// # Examples
///
/// ```no_run
/// use std::io::Write;
/// use fibra::net::UnixListener;
///
/// # fn main() -> std::io::Result<()> {
/// fibra::run(|| {
///     for stream in UnixListener::bind("/run/greeter")?.incoming() {
///         stream?.write_all(b"hello")?;
///     }
///     Ok(())
/// })
/// # }
/// ```
#[derive(Debug)]
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct UnixIncoming<'a> {
    listener: &'a UnixListener,
    /// Whether the last call returned the error of a kill: each further call would fail
    /// immediately.
    killed: bool,
}

impl Iterator for UnixIncoming<'_> {
    type Item = io::Result<UnixStream>;

    #[track_caller]
    fn next(&mut self) -> Option<io::Result<UnixStream>> {
        if self.killed {
            return None;
        }
        let accepted = self.listener.accept();
        self.killed = accepted.as_ref().is_err_and(is_killed);
        Some(accepted.map(|(stream, _)| stream))
    }
}

impl FusedIterator for UnixIncoming<'_> {}

impl<'a> IntoIterator for &'a UnixListener {
    type Item = io::Result<UnixStream>;
    type IntoIter = UnixIncoming<'a>;

    fn into_iter(self) -> UnixIncoming<'a> {
        self.incoming()
    }
}

descriptors!(UnixListener, net::UnixListener);
