//! The settings of a server, and its accept loop.
//!
//! Invariants:
//! - A connection is accepted only once there is a permit for it.
//! - After an error that lasts until some resource is freed, the loop pauses before it tries again.
//! - The loop ends when its fiber is killed, even where a kill cannot unwind. That closes the
//!   listener.

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

/// A listener that a [`Server`] accepts connections from.
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

/// The settings of a server that has not started yet: see [the module](crate::server).
///
/// # Examples
///
/// ```
/// use std::io::Write;
/// use std::time::Duration;
/// use fibra::net::TcpStream;
/// use fibra::server::Server;
///
/// # fn main() -> std::io::Result<()> {
/// fibra::run(|| {
///     let server = Server::bind("127.0.0.1:0")?.max_connections(100);
///     let address = server.listener().local_addr()?;
///     let running = server.start(|mut stream: TcpStream, _peer| stream.write_all(b"hello"));
///     assert_eq!(std::io::read_to_string(TcpStream::connect(address)?)?, "hello");
///     running.shutdown(Duration::from_secs(1));
///     Ok(())
/// })
/// # }
/// ```
#[must_use = "a server does nothing until it is started"]
pub struct Server<L> {
    listener: L,
    most: usize,
    builder: Builder,
    on_error: Box<dyn Fn(&io::Error)>,
    stopping: Stopping,
}

impl Server<TcpListener> {
    /// Creates a server that listens at a TCP address.
    ///
    /// # Errors
    ///
    /// Like [`TcpListener::bind`].
    pub fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<Server<TcpListener>> {
        Ok(Server::new(TcpListener::bind(addr)?))
    }
}

impl<L: Accept + 'static> Server<L> {
    /// Creates a server that accepts from `listener`.
    pub fn new(listener: L) -> Server<L> {
        let builder = Builder::new().name("connection");
        let on_error = Box::new(|_: &io::Error| ());
        Server { listener, most: usize::MAX, builder, on_error, stopping: Stopping::new() }
    }

    /// Limits the server to `most` connections at a time. By default there is no limit.
    ///
    /// # Panics
    ///
    /// Panics if `most` is zero.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::server::Server;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let server = Server::bind("127.0.0.1:0")?.max_connections(1_000);
    ///     println!("listening at {}", server.listener().local_addr()?);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn max_connections(self, most: usize) -> Server<L> {
        assert!(most != 0, "a server for no connection could never serve any");
        Server { most, ..self }
    }

    /// Sets the name and stack size of the fibers of connections. By default they are named
    /// "connection" and have stacks of the default size.
    pub fn connection_builder(self, builder: Builder) -> Server<L> {
        Server { builder, ..self }
    }

    /// Calls `f` with each error of the listener, in the accepting fiber, for example to log it. By
    /// default, errors after which the server goes on are ignored.
    pub fn on_error(self, f: impl Fn(&io::Error) + 'static) -> Server<L> {
        Server { on_error: Box::new(f), ..self }
    }

    /// Returns a handle that reports whether a shutdown has begun, for handlers that serve many
    /// requests on one connection.
    pub fn stopping(&self) -> Stopping {
        self.stopping.clone()
    }

    /// Returns the listener.
    pub fn listener(&self) -> &L {
        &self.listener
    }

    /// Starts to accept connections, and runs `handler` for each in a fiber of its own.
    ///
    /// What the handler returns is dropped. A panic of the handler ends only its connection, and is
    /// reported on standard error.
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
            Builder::new().name("server").spawn(move || self.accept_forever(&places, &handler));
        Running::new(accepting, pool, stopping)
    }

    /// Serves like [`start`](Server::start), but waits until the listener is broken.
    ///
    /// If the caller is killed, the connections are killed, too.
    ///
    /// # Errors
    ///
    /// Returns the error because of which no further connections can be accepted.
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

    fn accept_forever<F, R>(self, places: &Pool, handler: &Rc<F>) -> io::Error
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
                        // This connection, or its network, has gone: the next one may work.
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
