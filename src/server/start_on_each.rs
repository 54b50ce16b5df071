//! The start of a server on all schedulers of a runtime: the public calls.

use crate::jobs::handle::Handle;
use crate::par;
use crate::server::accept::Accept;
use crate::server::on_each::{self, Serve};
use crate::server::running::Running;
use crate::server::settings::Server;

impl<L: Accept + 'static> Server<L> {
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
        let handler = move |connection, peer| drop(handler(connection, peer));
        let spawn = |index, serve: Serve<'static>| handle.spawn_on(index, serve);
        on_each::hand_on(handle.threads(), spawn, listener, settings, handler)
    }

    /// Starts like [`start_on_each`](Server::start_on_each), with a handler that may borrow from
    /// the caller: the fibers of all schedulers belong to `scope`, which waits for their ends.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    /// use std::time::Duration;
    /// use fibra::net::TcpStream;
    /// use fibra::server::Server;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::Runtime::builder().threads(2).build()?.run(|| {
    ///     let served = AtomicUsize::new(0);
    ///     let server = Server::bind("127.0.0.1:0")?;
    ///     let address = server.listener().local_addr()?;
    ///     fibra::par::scope(|s| {
    ///         let count = |_stream, _peer| served.fetch_add(1, Ordering::Relaxed);
    ///         let running = server.start_on_each_in(s, count);
    ///         assert_eq!(std::io::read_to_string(TcpStream::connect(address)?)?, "");
    ///         running.shutdown(Duration::from_secs(1));
    ///         std::io::Result::Ok(())
    ///     })?;
    ///     assert_eq!(served.into_inner(), 1);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn start_on_each_in<'scope, F, R>(
        self,
        scope: &'scope par::Scope<'scope, '_>,
        handler: F,
    ) -> Running
    where
        L::Connection: Send,
        L::Peer: Send,
        F: Fn(L::Connection, L::Peer) -> R + Send + Sync + 'scope,
    {
        let (listener, settings) = self.into_parts();
        let handler = move |connection, peer| drop(handler(connection, peer));
        let spawn = |index, serve: Serve<'scope>| scope.spawn_on(index, serve).into_remote();
        on_each::hand_on(Handle::current().threads(), spawn, listener, settings, handler)
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
        self.check_listeners(&handle);
        let (listeners, settings) = self.into_parts();
        let handler = move |connection, peer| drop(handler(connection, peer));
        let spawn = |index, serve: Serve<'static>| handle.spawn_on(index, serve);
        on_each::accept_on_each(spawn, listeners, settings, handler)
    }

    /// Starts like [`start_on_each`](Server#method.start_on_each-1), with a handler that may borrow
    /// from the caller: the fibers of all schedulers belong to `scope`, which waits for their ends.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber, and if there is not one listener for each scheduler.
    #[track_caller]
    pub fn start_on_each_in<'scope, F, R>(
        self,
        scope: &'scope par::Scope<'scope, '_>,
        handler: F,
    ) -> Running
    where
        F: Fn(L::Connection, L::Peer) -> R + Send + Sync + 'scope,
    {
        self.check_listeners(&Handle::current());
        let (listeners, settings) = self.into_parts();
        let handler = move |connection, peer| drop(handler(connection, peer));
        let spawn = |index, serve: Serve<'scope>| scope.spawn_on(index, serve).into_remote();
        on_each::accept_on_each(spawn, listeners, settings, handler)
    }

    #[track_caller]
    fn check_listeners(&self, handle: &Handle) {
        let (listeners, threads) = (self.listener().len(), handle.threads());
        assert!(
            listeners == threads,
            "each of {threads} schedulers needs a listener, and the server has {listeners}"
        );
    }
}
