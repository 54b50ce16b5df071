//! HTTP by [`hyper`]: servers whose handlers block, and a client that does.
//!
//! A connection runs in a fiber of its own: [`Http1::serve_connection`] serves one until it ends, and goes well
//! with [`server::Server`](crate::server::Server). For each request it runs the handler in another fiber, which may sleep, lock,
//! wait for a channel, call other servers: the connection goes on meanwhile, and notices if its client
//! goes away. Then the handler is killed. A handler reads the body of its request as any
//! [`Read`](std::io::Read), and may write that of its response while it is sent: see [`body`].
//!
//! [`Client`] sends requests over any stream and waits for the answers.
//!
//! # hyper itself
//!
//! What these are made of serves for other uses of hyper and of what is built on it: [`Io`] is a stream as hyper's
//! connections want it, [`FiberExecutor`] and [`FiberTimer`] are its executor and its timer, and
//! [`Http1::serve_service`] runs a `Service`, such as an axum `Router`. Futures of hyper are run by
//! [`block_on`](crate::future::block_on). The crate is exported as [`fibra::hyper::hyper`](hyper).
//!
//! # Two rules
//!
//! - In the `async` code of a service, do not block: all of a connection is one task. Blocking
//!   handlers are not concerned, for they have fibers of their own; `async` code has
//!   [`future::spawn`](crate::future::spawn).
//! - Streams are read and written by futures here: time limits that were set on a socket do not hold. hyper's do, and
//!   [`time::timeout`](crate::time::timeout) around the whole.

mod body;
mod client;
mod error;
mod io;
mod rt;
mod server;

pub use self::body::{BodyReader, BodyWriter, StreamBody, body};
pub use self::client::Client;
pub use self::io::Io;
pub use self::rt::{FiberExecutor, FiberTimer};
pub use self::server::{Graceful, Http1, Reply};
pub use ::hyper;
