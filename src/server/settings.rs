//! The settings of a server.

use std::fmt;
use std::io;

use crate::net::{TcpListener, ToSocketAddrs};
use crate::sched::api::spawn::Builder;
use crate::server::on_each::Settings;
use crate::server::running::Stopping;

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

impl<L> Server<L> {
    /// Creates a server that accepts from `listener`. For
    /// [a listener per scheduler](Server#method.start_on_each-1), this is a vector of them.
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
}

impl<L> Server<L> {
    pub(super) fn into_parts(self) -> (L, Settings) {
        let Server { listener, most, builder, on_error, stopping } = self;
        (listener, Settings { most, builder, on_error, stopping })
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
