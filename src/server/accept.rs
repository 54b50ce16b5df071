//! Listeners, and the loop that accepts connections from one.
//!
//! Invariants:
//! - A connection is accepted only once there is a permit for it.
//! - After an error that lasts until some resource is freed, the loop pauses before it tries again.
//! - The loop ends when its fiber is killed, even where a kill cannot unwind. That closes the
//!   listener.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::io::Errno;

use crate::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use crate::sched::core::park::{sleep, yield_now};
use crate::sched::lowlevel::is_killed;

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A listener that a [`Server`](crate::server::Server) accepts connections from.
///
/// Programs may implement it: for a listener that does a handshake, for one that wraps another
/// listener, or for a test.
///
/// # Examples
///
/// ```
/// use std::io;
/// use std::net::SocketAddr;
/// use fibra::net::{TcpListener, TcpStream};
/// use fibra::server::{Accept, Server};
///
/// /// Sends small packets without delay.
/// struct NoDelay(TcpListener);
///
/// impl Accept for NoDelay {
///     type Connection = TcpStream;
///     type Peer = SocketAddr;
///
///     fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
///         let (stream, peer) = self.0.accept()?;
///         stream.set_nodelay(true)?;
///         Ok((stream, peer))
///     }
/// }
///
/// fn server() -> io::Result<Server<NoDelay>> {
///     Ok(Server::new(NoDelay(TcpListener::bind("127.0.0.1:0")?)))
/// }
/// ```
pub trait Accept {
    /// The type of a connection.
    type Connection: 'static;
    /// The address of the other side.
    type Peer: 'static;

    /// Waits for the next connection and accepts it.
    ///
    /// # Errors
    ///
    /// Returns the errors of `accept(2)`. An error that does not come from the system, such as that
    /// of a handshake, is taken to concern one connection only: the server accepts the next one.
    fn accept(&self) -> io::Result<(Self::Connection, Self::Peer)>;
}

impl Accept for TcpListener {
    type Connection = TcpStream;
    type Peer = SocketAddr;

    #[track_caller]
    fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        TcpListener::accept(self)
    }
}

impl Accept for UnixListener {
    type Connection = UnixStream;
    type Peer = std::os::unix::net::SocketAddr;

    #[track_caller]
    fn accept(&self) -> io::Result<(UnixStream, Self::Peer)> {
        UnixListener::accept(self)
    }
}

/// Accepts connections until the listener is broken or the calling fiber is killed, and returns the
/// reason: see [`report_last`].
///
/// `reserve` waits for a permit, and `start` starts a handler under it. `on_error` is called with
/// all other errors.
pub(super) fn accept_forever<L: Accept, P>(
    listener: &L,
    reserve: impl Fn() -> io::Result<P>,
    start: impl Fn(P, L::Connection, L::Peer),
    on_error: impl Fn(io::Error),
) -> io::Error {
    let mut pause = FIRST_PAUSE;
    loop {
        let permit = match reserve() {
            Ok(permit) => permit,
            Err(killed) => return killed,
        };
        let error = match listener.accept() {
            Ok((connection, peer)) => {
                pause = FIRST_PAUSE;
                start(permit, connection, peer);
                continue;
            }
            Err(error) => error,
        };
        let trouble = Trouble::of(&error);
        if trouble == Trouble::Fatal {
            return error;
        }
        on_error(error);
        if trouble == Trouble::Shortage {
            drop(permit);
            sleep(pause);
            pause = LONGEST_PAUSE.min(2 * pause);
        } else {
            // This connection, or its network, has gone: the next one may work.
            yield_now();
        }
    }
}

/// Calls `on_error` with the error of a broken listener, but not with that of a kill. Returns the
/// error.
pub(super) fn report_last(on_error: &dyn Fn(&io::Error), error: io::Error) -> io::Error {
    if !is_killed(&error) {
        on_error(&error);
    }
    error
}

/// A class of errors of `accept`, by what the loop does next.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
enum Trouble {
    /// The error concerns one connection only.
    Passing,
    /// The error lasts until descriptors or memory are freed.
    Shortage,
    /// The listener cannot accept, or the accepting fiber was killed.
    Fatal,
}

impl Trouble {
    fn of(error: &io::Error) -> Trouble {
        if is_killed(error) {
            return Trouble::Fatal;
        }
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            // `NOSPC` comes from epoll, when the user watches too many descriptors.
            Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM | Errno::NOSPC) => {
                Trouble::Shortage
            }
            Some(Errno::BADF | Errno::INVAL | Errno::NOTSOCK | Errno::OPNOTSUPP | Errno::FAULT) => {
                Trouble::Fatal
            }
            // `accept(2)` lists a dozen errors that concern the network of one connection. An error
            // that does not come from the system comes from a handshake or the like.
            _ => Trouble::Passing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_of_three_kinds() {
        let kind = |errno: Errno| Trouble::of(&errno.into());
        assert_eq!(kind(Errno::MFILE), Trouble::Shortage);
        assert_eq!(kind(Errno::NOSPC), Trouble::Shortage);
        assert_eq!(kind(Errno::CONNABORTED), Trouble::Passing);
        assert_eq!(kind(Errno::NETDOWN), Trouble::Passing);
        assert_eq!(kind(Errno::INVAL), Trouble::Fatal);
        assert_eq!(Trouble::of(&io::Error::other("handshake")), Trouble::Passing);
    }
}
