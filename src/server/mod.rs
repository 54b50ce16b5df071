//! Servers: an accept loop with a limit, a fiber for each connection, and an orderly end.
//!
//! ```text
//!   place free? --> accept --> fiber: handler(connection, peer) --> gives its place back
//!     ^                |
//!     |                +-- no descriptor, no memory: pause (10 ms, doubling, at most 1 s)
//!     |                +-- a connection that is gone already: the next one
//!     +----------------+   the listener itself is broken: the end
//! ```
//!
//! A server at its limit does not accept: connections wait in the listener's backlog, and clients see
//! that the server is slow instead of being accepted and forgotten.
//!
//! # The end
//!
//! [`Running::shutdown`] stops accepting, closes the listener, waits until the connections have ended
//! or its grace is over, kills those that are left, and waits for their destructors. Handlers that
//! serve many requests on one connection ask [`Stopping::is_stopping`] between two of them. Dropping a
//! [`Running`] is a shutdown without grace that does not wait.
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
mod running;

pub use accept::{Accept, Server};
pub use running::{Drained, Running, Stopping};
