//! Servers: an accept loop with a limit, a fiber per connection, and a graceful shutdown.
//!
//! ```text
//!   permit free? --> accept --> fiber: handler(connection, peer) --> returns its permit
//!     ^                |
//!     |                +-- no descriptor, no memory: pause (10 ms, doubling, at most 1 s)
//!     |                +-- the connection has gone already: accept the next one
//!     +----------------+   the listener itself is broken: the loop ends
//! ```
//!
//! A server at its limit does not accept. Further connections wait in the listener's backlog, so
//! clients notice that the server is slow, instead of being accepted and left waiting.
//!
//! # Shutdown
//!
//! [`Running::shutdown`] stops accepting, closes the listener, and waits until the connections have
//! ended or the grace period is over. Then it kills the remaining connections and waits until their
//! destructors have run. Handlers that serve many requests on one connection check
//! [`Stopping::is_stopping`] between two requests. Dropping a [`Running`] is a shutdown without a
//! grace period that does not wait.
//!
//! # Handlers that borrow
//!
//! [`Server::start_in`] starts the server in a [`scope`](crate::scope()): its handlers may borrow
//! from the caller, and the scope is left only after all of them have ended. [`Server::serve`] does
//! the same, and serves until the listener is broken. [`Server::start_on_each_in`] starts a server
//! on all cores in a [`par::scope`](crate::par::scope()).
//!
//! # All cores
//!
//! In a [`Runtime`](crate::Runtime) with several schedulers, [`Server::start_on_each`] serves on
//! all of them. A connection stays on one thread, where its handler may use values that are not
//! `Send`. Handlers share data like threads do: by an `Arc`, and the types of
//! [`sync`](crate::sync). There are two ways to distribute the connections:
//!
//! - With one listener, the scheduler that has started the server accepts, and passes each
//!   connection to the scheduler with the fewest. So each has the same number of connections. This
//!   is right for most servers.
//! - With a vector of listeners (of [`TcpBuilder::bind_each`](crate::net::TcpBuilder::bind_each)),
//!   each scheduler accepts from its own. The kernel distributes the connections by a hash. On two
//!   schedulers, the busier one has on average 6.2 of 10 connections, 54 of 100, and 513 of 1,000,
//!   and a connection does not move later. On the other hand, no thread accepts for the others:
//!   this is for servers on many cores, if one thread cannot accept all connections, or if the
//!   first scheduler is often busy for long. It works on Linux and FreeBSD.
//!
//! Both take the same processor time, per request and per connection: passing a connection to
//! another thread costs little beside accepting it.
//!
//! The rest is as on one thread: [`Running::connections`] counts the connections of all schedulers,
//! [`Running::wait`] returns when a listener is broken, and [`Running::shutdown`] stops accepting
//! everywhere, waits, and then kills. Connections that were accepted are served, even if they have
//! not reached their scheduler when the shutdown begins.
//!
//! # Examples
//!
//! ```
//! use std::io::{self, Read, Write};
//! use std::time::Duration;
//! use fibra::net::TcpStream;
//! use fibra::server::Server;
//!
//! # fn main() -> io::Result<()> {
//! fibra::run(|| {
//!     let server = Server::bind("127.0.0.1:0")?.max_connections(1000);
//!     let address = server.listener().local_addr()?;
//!     let running = server.start(|stream, _peer| io::copy(&mut &stream, &mut &stream));
//!
//!     let mut client = TcpStream::connect(address)?;
//!     client.write_all(b"echo")?;
//!     let mut answer = [0; 4];
//!     client.read_exact(&mut answer)?;
//!     assert_eq!(&answer, b"echo");
//!     drop(client);
//!
//!     let end = running.shutdown(Duration::from_secs(5));
//!     assert_eq!(end.killed, 0);
//!     Ok(())
//! })
//! # }
//! ```

mod accept;
mod on_each;
mod running;
mod settings;
mod start;
mod start_on_each;

pub use accept::Accept;
pub use running::{Drained, Running, Stopping};
pub use settings::Server;
