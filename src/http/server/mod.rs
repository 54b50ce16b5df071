//! Connections of an HTTP server: hyper's protocol code, with blocking handlers.
//!
//! ```text
//!   fiber of the connection: block_on(serve.rs)                 fiber of a request
//!     socket <-> transport.rs <-> hyper -- request, chunks of its body --> handler
//!                  |    (protocol.rs)   <-- response, chunks of its body --
//!                  v notes                 (answer.rs, reply.rs)
//!                life.rs --> watch.rs: time limits
//! ```
//!
//! Invariants:
//! - The fiber of a connection never blocks on the fiber of a handler, and a handler never waits
//!   for the socket itself: each wakes the other. So a handler may read a body that is still
//!   arriving.
//! - When a connection ends, for whatever reason, its handlers are killed.
//! - An HTTP/2 connection is one task, with all its streams: each request has one fiber, that of
//!   its handler.

mod answer;
mod graceful;
pub(in crate::http) mod intake;
mod life;
mod limited;
mod protocol;
mod reply;
mod serve;
mod settings;
#[cfg(feature = "http2")]
mod settings_http2;
#[cfg(feature = "http2")]
mod streams;
mod transport;
mod upgrade;
mod watch;

pub use self::graceful::Graceful;
pub use self::intake::status_of;
pub use self::limited::LimitedBody;
pub use self::settings::Http;
#[cfg(feature = "http2")]
pub use self::streams::StreamExecutor;
pub use self::upgrade::{Upgrade, Upgraded, upgrade};
