//! TLS over any stream, by [`rustls`]: one type for both sides, which can be read and written at
//! the same time.
//!
//! [`TlsConnector`] and [`TlsAcceptor`] perform the handshake over any stream: a
//! [`TcpStream`](crate::net::TcpStream), a socket in a [`Waitable`](crate::io::Waitable), another
//! `TlsStream`. They return a [`TlsStream`]. A reference to it can be read and written too, so one
//! fiber may read while another writes.
//!
//! # Cryptography
//!
//! A configuration of rustls names its provider of cryptography, and this crate includes none:
//! depend on `rustls` as well, with its feature `ring` or `aws_lc_rs`, or on another provider, and
//! create configurations by `builder_with_provider`. (`ClientConfig::builder()` panics if the
//! features of the whole program leave the choice open.)
//!
//! ```toml
//! fibra = { version = "0.1", features = ["tls"] }
//! rustls = { version = "0.23", default-features = false, features = ["ring", "std", "tls12"] }
//! ```
//!
//! The crate is re-exported as [`fibra::tls::rustls`](rustls), so that its types are those of the
//! right version.
//!
//! # Waiting
//!
//! Handshakes, reads and writes wait where the underlying stream does, and nowhere else. Each is
//! therefore a kill point, [`time::timeout`](crate::time::timeout) limits it, and the time limits
//! of the stream apply to each single wait. A verifier or a resolver of certificates may wait, too.
//! On a plain thread all of it blocks.
//!
//! Futures read and write a `TlsStream` as well, if they do the underlying stream: by
//! [`PollIo`](crate::io::PollIo) and the traits of other crates, see
//! [`beside_async`](crate::guide::beside_async). The handshake is a blocking call.
//!
//! # The end of a connection
//!
//! A peer that is done sends a `close_notify`, and reads then return 0. If its connection ends
//! without one, an attacker may have cut off the data: reads fail with
//! [`UnexpectedEof`](std::io::ErrorKind::UnexpectedEof). [`TlsStream::shutdown`] sends it. Dropping
//! a stream does not, because a destructor should not wait for a peer.

mod config;
mod poll;
mod records;
mod state;
mod stream;
#[cfg(feature = "https")]
pub(crate) mod system;

pub use config::{TlsAcceptor, TlsConnector};
pub use rustls;
pub use stream::TlsStream;
