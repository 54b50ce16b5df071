//! The settings of a server, and its accept loop.
//!
//! Invariants:
//! - Nothing is accepted before there is a place for it.
//! - An error that stays until something is given back is never tried again at once.
//! - The loop ends when its fiber is killed, also where that cannot unwind: the listener is closed by that.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use rustix::io::Errno;

use crate::net::{TcpListener, TcpStream, ToSocketAddrs, UnixListener, UnixStream};
use crate::pool::Pool;
use crate::sched::api::spawn::Builder;
use crate::sched::core::park::{sleep, yield_now};
use crate::sched::lowlevel::is_killed;
use crate::server::running::{Running, Stopping};

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What a [`Server`] accepts connections from.
pub trait Accept {
    /// A connection.
    type Connection: 'static;
    /// Who is on the other side.
    type Peer: 'static;

    /// Waits for the next connection.
    ///
    /// # Errors
    ///
    /// Those of `accept(2)`.
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

/// A server that has not started yet: see [the module](crate::server).
#[must_use = "a server does nothing until it is started"]
pub struct Server<L> {
    listener: L,
    most: usize,
    builder: Builder,
    on_error: Box<dyn Fn(&io::Error)>,
    stopping: Stopping,
}

impl Server<TcpListener> {
    /// A server at a TCP address.
    ///
    /// # Errors
    ///
    /// As [`TcpListener::bind`].
    pub fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<Server<TcpListener>> {
        Ok(Server::new(TcpListener::bind(addr)?))
    }
}

impl<L: Accept + 'static> Server<L> {
    /// A server at a listener.
    pub fn new(listener: L) -> Server<L> {
        let builder = Builder::new().name("connection");
        let on_error = Box::new(|_: &io::Error| ());
        Server { listener, most: usize::MAX, builder, on_error, stopping: Stopping::new() }
    }

    /// Serves at most `most` connections at a time. No limit if not set.
    ///
    /// # Panics
    ///
    /// Panics if `most` is zero.
    pub fn max_connections(self, most: usize) -> Server<L> {
        assert!(most != 0, "a server for no connection could never serve any");
        Server { most, ..self }
    }

    /// Settings for the fibers of connections. If not set they are named "connection" and have
    /// stacks of the default size.
    pub fn connection_builder(self, builder: Builder) -> Server<L> {
        Server { builder, ..self }
    }

    /// Calls `f` with each error of the listener, in the accepting fiber: to write it down. If not
    /// set nobody hears of errors that pass.
    pub fn on_error(self, f: impl Fn(&io::Error) + 'static) -> Server<L> {
        Server { on_error: Box::new(f), ..self }
    }

    /// Whether a shutdown has begun: for handlers that serve many requests on one connection.
    pub fn stopping(&self) -> Stopping {
        self.stopping.clone()
    }

    /// What it listens at.
    pub fn listener(&self) -> &L {
        &self.listener
    }

    /// Accepts connections, and runs `handler` for each in a fiber of its own. What it returns is
    /// dropped; a panic ends that connection only, and is reported.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn start<F, R>(self, handler: F) -> Running
    where
        F: Fn(L::Connection, L::Peer) -> R + 'static,
    {
        let pool = Pool::with_builder(self.most, self.builder.clone());
        let stopping = self.stopping.clone();
        let (places, handler) = (pool.clone(), Rc::new(handler));
        let accepting =
            Builder::new().name("server").spawn(move || self.accept_for_ever(&places, &handler));
        Running::new(accepting, pool, stopping)
    }

    /// As [`start`](Server::start), and waits until the listener is broken.
    ///
    /// When the caller is killed, so are the connections.
    ///
    /// # Errors
    ///
    /// Why nothing can be accepted any more.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn serve<F, R>(self, handler: F) -> io::Result<()>
    where
        F: Fn(L::Connection, L::Peer) -> R + 'static,
    {
        self.start(handler).wait()
    }

    fn accept_for_ever<F, R>(self, places: &Pool, handler: &Rc<F>) -> io::Error
    where
        F: Fn(L::Connection, L::Peer) -> R + 'static,
    {
        let mut pause = FIRST_PAUSE;
        loop {
            let place = match places.reserve_unless_killed() {
                Ok(place) => place,
                Err(killed) => return killed,
            };
            match self.listener.accept() {
                Ok((connection, peer)) => {
                    pause = FIRST_PAUSE;
                    let handler = handler.clone();
                    drop(place.spawn(move || drop(handler(connection, peer))));
                }
                Err(error) => {
                    (self.on_error)(&error);
                    match Trouble::of(&error) {
                        // One that is gone already, or a network that is.
                        Trouble::Passing => yield_now(),
                        Trouble::Shortage => {
                            drop(place);
                            sleep(pause);
                            pause = LONGEST_PAUSE.min(2 * pause);
                        }
                        Trouble::Fatal => return error,
                    }
                }
            }
        }
    }
}

impl<L: fmt::Debug> fmt::Debug for Server<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("listener", &self.listener)
            .field("max_connections", &self.most)
            .finish_non_exhaustive()
    }
}

/// What an error of `accept` means for the next.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
enum Trouble {
    /// It was about one connection.
    Passing,
    /// Something must be given back first.
    Shortage,
    /// The listener is none, or the accepting fiber is to end.
    Fatal,
}

impl Trouble {
    fn of(error: &io::Error) -> Trouble {
        if is_killed(error) {
            return Trouble::Fatal;
        }
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            // The last is epoll's, for one who watches too many descriptors.
            Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM | Errno::NOSPC) => {
                Trouble::Shortage
            }
            Some(Errno::BADF | Errno::INVAL | Errno::NOTSOCK | Errno::OPNOTSUPP | Errno::FAULT) => {
                Trouble::Fatal
            }
            // `accept(2)` lists a dozen that are about the network of one connection. An error that
            // is not the system's comes from a handshake or the like.
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
