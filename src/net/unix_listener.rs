//! The side of Unix domain sockets that waits for connections.

use std::fmt;
use std::io;
use std::iter::FusedIterator;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use crate::io::Waitable;
use crate::net::UnixStream;
use crate::net::descriptors::{descriptors, pass_on};
use crate::reactor::source::{Direction, Wait};
use crate::sched::lowlevel::{OnDeadlock, WaitReason, is_killed};

static ACCEPTING: WaitReason =
    WaitReason::new("accepting a connection to a Unix socket", OnDeadlock::Fail)
        .ended_by_the_world();

/// A Unix domain socket that accepts connections. As [`std::os::unix::net::UnixListener`].
///
/// Its file stays when it is dropped, as with std.
///
/// # Examples
///
/// ```no_run
/// use std::io;
/// use fibra::net::UnixListener;
///
/// # fn main() -> io::Result<()> {
/// fibra::run(|| {
///     let listener = UnixListener::bind("/run/echo.socket")?;
///     for stream in listener.incoming() {
///         let stream = stream?;
///         fibra::spawn(move || io::copy(&mut &stream, &mut &stream));
///     }
///     Ok(())
/// })
/// # }
/// ```
pub struct UnixListener {
    io: Waitable<net::UnixListener>,
}

impl UnixListener {
    /// Makes a socket at `path`, and listens.
    ///
    /// # Errors
    ///
    /// If there is a file at `path` already, it cannot be made, or `path` is too long for an address.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixListener> {
        UnixListener::from_std(net::UnixListener::bind(path)?)
    }

    /// Listens at `addr`, which may be an abstract one of Linux.
    ///
    /// # Errors
    ///
    /// As [`bind`](UnixListener::bind).
    pub fn bind_addr(addr: &SocketAddr) -> io::Result<UnixListener> {
        UnixListener::from_std(net::UnixListener::bind_addr(addr)?)
    }

    /// Takes a listener of std over. It gets non-blocking, and so do its clones.
    ///
    /// # Errors
    ///
    /// If it cannot be made non-blocking.
    pub fn from_std(listener: net::UnixListener) -> io::Result<UnixListener> {
        Ok(UnixListener { io: Waitable::new(listener)? })
    }

    /// Gives the listener to std, as a blocking one.
    ///
    /// What it refers to gets blocking by that, for all its handles: calls of another one, made by
    /// [`try_clone`](UnixListener::try_clone), may then block their whole thread.
    ///
    /// # Errors
    ///
    /// If it cannot be made blocking.
    pub fn into_std(self) -> io::Result<net::UnixListener> {
        let listener = self.io.into_inner();
        listener.set_nonblocking(false)?;
        Ok(listener)
    }

    /// Waits for a connection, and returns it with the address of the other side, which mostly has no
    /// name.
    ///
    /// # Errors
    ///
    /// If the process or the system has no descriptor left.
    #[track_caller]
    pub fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let wait = Wait { direction: Direction::Read, timeout: None, reason: &ACCEPTING };
        let (stream, addr) = self.io.io(wait, net::UnixListener::accept, |_| false)?;
        Ok((UnixStream::from_std(stream)?, addr))
    }

    /// The connections to this listener, without end; errors of [`accept`](UnixListener::accept) are among them.
    ///
    /// Do not pass over errors and go on at once, as `flatten` would: when no descriptor is left each call fails,
    /// until one is given back. A [`Server`](crate::server::Server) knows which errors pass.
    pub fn incoming(&self) -> UnixIncoming<'_> {
        UnixIncoming { listener: self, killed: false }
    }

    /// Another handle to the same listener.
    ///
    /// Both refer to the same socket, which is blocking or not for both: see [`into_std`](UnixListener::into_std).
    ///
    /// # Errors
    ///
    /// If no descriptor is left.
    pub fn try_clone(&self) -> io::Result<UnixListener> {
        Ok(UnixListener { io: Waitable::from_nonblocking(self.io.get_ref().try_clone()?) })
    }
}

pass_on! { UnixListener:
    /// The address that it listens at.
    ///
    /// # Errors
    ///
    /// Those of `getsockname(2)`.
    fn local_addr(&self) -> SocketAddr;

    /// Takes the error that the socket holds.
    ///
    /// # Errors
    ///
    /// Those of `getsockopt(2)`.
    fn take_error(&self) -> Option<io::Error>;
}

impl fmt::Debug for UnixListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.get_ref().fmt(f)
    }
}

/// The connections to a [`UnixListener`], made by [`incoming`](UnixListener::incoming). It ends only where a
/// kill cannot unwind, with the error that says so.
#[derive(Debug)]
#[must_use = "an iterator does nothing until it is asked"]
pub struct UnixIncoming<'a> {
    listener: &'a UnixListener,
    /// Whether its fiber was killed and was told so: each further call would fail at once.
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
