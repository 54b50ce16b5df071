//! The settings of a server, and its start: on the caller's scheduler, in a scope, or on each
//! scheduler of the runtime.
//!
//! Invariant: a panic of a handler ends its connection and nothing else. It is reported once.

use std::fmt;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::Arc;

use crate::fiber::exit::is_unwind;
use crate::jobs::handle::Handle;
use crate::net::{TcpListener, ToSocketAddrs};
use crate::pool::{Permit, Pool};
use crate::sched::api::scope::{Scope, scope};
use crate::sched::api::spawn::Builder;
use crate::sched::core::end::report_unjoined;
use crate::sched::lowlevel::current_fiber;
use crate::server::accept::{Accept, accept_forever, report_last};
use crate::server::on_each::{self, Settings};
use crate::server::running::{Accepting, Running, Stopping};

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

impl<L: Accept + 'static> Server<L> {
    /// Starts to accept connections, and runs `handler` for each in a fiber of its own.
    ///
    /// What the handler returns is dropped. A panic of the handler ends only its connection, and is
    /// reported on standard error. For a handler that borrows there is
    /// [`start_in`](Server::start_in).
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn start<F, R>(self, handler: F) -> Running
    where
        F: Fn(L::Connection, L::Peer) -> R + 'static,
    {
        let Server { listener, most, builder, on_error, stopping } = self;
        let pool = Pool::with_builder(most, builder);
        let (permits, handler) = (pool.clone(), Rc::new(handler));
        let accepting = Accepting::start(move || {
            let start = |permit: Permit<'_>, connection, peer| {
                let handler = handler.clone();
                drop(permit.spawn(move || drop(handler(connection, peer))));
            };
            accept(&listener, &permits, start, &*on_error)
        });
        Running::here(accepting, pool, stopping)
    }

    /// Starts like [`start`](Server::start), with a handler that may borrow from the caller: all
    /// fibers of the server belong to `scope`, which waits for their ends.
    ///
    /// A panic of a handler ends only its connection here, too, and not the scope.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::time::Duration;
    /// use fibra::net::TcpStream;
    /// use fibra::server::Server;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let served = Cell::new(0);
    ///     let server = Server::bind("127.0.0.1:0")?;
    ///     let address = server.listener().local_addr()?;
    ///     fibra::scope(|s| {
    ///         let running = server.start_in(s, |_stream, _peer| served.set(served.get() + 1));
    ///         let client = TcpStream::connect(address)?;
    ///         assert_eq!(std::io::read_to_string(client)?, "");
    ///         running.shutdown(Duration::from_secs(1));
    ///         std::io::Result::Ok(())
    ///     })?;
    ///     assert_eq!(served.get(), 1);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn start_in<'scope, F, R>(self, scope: &'scope Scope<'scope, '_>, handler: F) -> Running
    where
        F: Fn(L::Connection, L::Peer) -> R + 'scope,
    {
        let Server { listener, most, builder, on_error, stopping } = self;
        let pool = Pool::with_builder(most, builder);
        let (permits, handler) = (pool.clone(), Rc::new(handler));
        let accepting = Accepting::start_in(scope, move || {
            let start = |permit: Permit<'_>, connection, peer| {
                let handler = handler.clone();
                permit.spawn_in(scope, move || {
                    without_the_scope(|| drop(handler(connection, peer)));
                });
            };
            accept(&listener, &permits, start, &*on_error)
        });
        Running::here(accepting, pool, stopping)
    }

    /// Serves until the listener is broken, then kills the connections and waits for their ends.
    /// The handler may borrow from the caller.
    ///
    /// If the caller is killed, the connections are killed, too. To end a server in an orderly way,
    /// start it with [`start`](Server::start) or [`start_in`](Server::start_in).
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
        F: Fn(L::Connection, L::Peer) -> R,
    {
        scope(|scope| self.start_in(scope, handler).wait())
    }

    /// Starts the server on each scheduler of the runtime: this one accepts connections, and each
    /// is served by the scheduler that has the fewest.
    ///
    /// `handler` is called on all of their threads, and a connection stays on the thread on which
    /// its handler was called. [`max_connections`](Server::max_connections) limits the connections
    /// of all schedulers together, and the callback of [`on_error`](Server::on_error) is called on
    /// this thread. If the runtime has one scheduler, this is the same as [`start`](Server::start).
    ///
    /// [The module](crate::server#all-cores) compares this with a listener for each scheduler.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{self, Read, Write};
    /// use std::time::Duration;
    /// use fibra::net::TcpStream;
    /// use fibra::server::Server;
    ///
    /// # fn main() -> io::Result<()> {
    /// fibra::Runtime::builder().threads(2).build()?.run(|| {
    ///     let server = Server::bind("127.0.0.1:0")?;
    ///     let address = server.listener().local_addr()?;
    ///     let running = server.start_on_each(|mut stream: TcpStream, _peer| {
    ///         let index = fibra::Handle::current().index().unwrap();
    ///         write!(stream, "scheduler {index}")
    ///     });
    ///     let ask = || io::read_to_string(TcpStream::connect(address)?);
    ///     let mut answers = [ask()?, ask()?];
    ///     answers.sort();
    ///     assert_eq!(answers, ["scheduler 0", "scheduler 1"]);
    ///     running.shutdown(Duration::from_secs(1));
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn start_on_each<F, R>(self, handler: F) -> Running
    where
        L::Connection: Send,
        L::Peer: Send,
        F: Fn(L::Connection, L::Peer) -> R + Send + Sync + 'static,
    {
        let handle = Handle::current();
        if handle.threads() == 1 {
            return self.start(handler);
        }
        let (listener, settings) = self.into_parts();
        let handler = Arc::new(move |connection, peer| drop(handler(connection, peer)));
        on_each::hand_on(&handle, listener, settings, &handler)
    }
}

impl<L: Accept + Send + 'static> Server<Vec<L>> {
    /// Starts the server on each scheduler of the runtime: each accepts from a listener of its own,
    /// and serves these connections.
    ///
    /// [`TcpBuilder::bind_each`](crate::net::TcpBuilder::bind_each) makes such listeners. Each
    /// scheduler admits an equal part of [`max_connections`](Server::max_connections), rounded up.
    /// The callback of [`on_error`](Server::on_error) is called on this thread. The first listener
    /// that is broken ends the server.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber, and if there is not one listener for each scheduler.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::Write;
    /// use std::time::Duration;
    /// use fibra::net::{TcpListener, TcpStream};
    /// use fibra::server::Server;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::Runtime::builder().threads(2).build()?.run(|| {
    ///     let listeners = TcpListener::builder().backlog(4096).bind_each(2, "127.0.0.1:0")?;
    ///     let address = listeners[0].local_addr()?;
    ///     let running = Server::new(listeners)
    ///         .start_on_each(|mut stream: TcpStream, _peer| stream.write_all(b"hello"));
    ///     assert_eq!(std::io::read_to_string(TcpStream::connect(address)?)?, "hello");
    ///     running.shutdown(Duration::from_secs(1));
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn start_on_each<F, R>(self, handler: F) -> Running
    where
        F: Fn(L::Connection, L::Peer) -> R + Send + Sync + 'static,
    {
        let handle = Handle::current();
        let (listeners, threads) = (self.listener.len(), handle.threads());
        assert!(
            listeners == threads,
            "each of {threads} schedulers needs a listener, and the server has {listeners}"
        );
        let (listeners, settings) = self.into_parts();
        let handler = Arc::new(move |connection, peer| drop(handler(connection, peer)));
        on_each::accept_on_each(&handle, listeners, settings, &handler)
    }
}

impl<L> Server<L> {
    fn into_parts(self) -> (L, Settings) {
        let Server { listener, most, builder, on_error, stopping } = self;
        (listener, Settings { most, builder, on_error, stopping })
    }
}

/// Accepts on this scheduler: see [`accept_forever`].
fn accept<L: Accept>(
    listener: &L,
    pool: &Pool,
    start: impl Fn(Permit<'_>, L::Connection, L::Peer),
    on_error: &dyn Fn(&io::Error),
) -> io::Error {
    let reserve = || pool.reserve_unless_killed();
    let error = accept_forever(listener, reserve, start, |error| on_error(&error));
    report_last(on_error, error)
}

/// Calls `f` in a fiber of a scope. A panic is reported here, and does not reach the scope.
fn without_the_scope(f: impl FnOnce()) {
    match panic::catch_unwind(AssertUnwindSafe(f)) {
        Err(payload) if is_unwind(&*payload) => panic::resume_unwind(payload),
        Err(payload) => report_unjoined(&current_fiber().fiber, payload),
        Ok(()) => {}
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
