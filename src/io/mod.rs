//! Waiting for file descriptors of any kind and origin.
//!
//! [`Waitable`] wraps a descriptor of any kind (a pipe, a terminal, a device, a socket that a
//! foreign library made), so that its operations wait like those of the sockets of
//! [`net`](crate::net): the fiber waits, and its thread runs others. [`wait_readable`] and
//! [`wait_writable`] are for a descriptor that other code owns, such as a C library with an
//! interface for event loops.
//!
//! On a plain thread, outside of [`fibra::run`](crate::run), all of these block the thread.
//!
//! The kernel reports regular files as always ready, although they block the thread: use
//! [`fs`](crate::fs) for them.
//!
//! # Streams for futures
//!
//! The streams of this crate can also be polled. [`PollIo`] has the operations; with the feature
//! `futures-io` the streams implement `AsyncRead` and `AsyncWrite` of the crate futures-io, and
//! with
//! `tokio-io` those of tokio. [`Readiness`] is a future that waits until a descriptor is ready. The
//! page [`beside_async`](crate::guide::beside_async) of the guide has the types, examples, and what
//! happens outside of fibers.
//!
//! # Standard input
//!
//! [`stdin`] is like [`std::io::stdin`], and waits like the rest: one fiber reads what is typed,
//! the others run.
//!
//! ```no_run
//! fibra::run(|| -> std::io::Result<()> {
//!     fibra::spawn(|| println!("it need not wait for a line"));
//!     for line in fibra::io::stdin().lines() {
//!         println!("you said: {}", line?);
//!     }
//!     Ok(())
//! })?;
//! # std::io::Result::Ok(())
//! ```

pub(crate) mod async_traits;
pub(crate) mod by_reference;
mod input;
pub(crate) mod pipe;
pub(crate) mod poll;
mod readiness;
mod shared;
mod stdin;
pub(crate) mod uninit_buf;
mod wait;
mod waitable;

pub use poll::PollIo;
pub use readiness::Readiness;
pub use shared::{SharedRead, SharedWrite};
pub use stdin::{Stdin, StdinLock, stdin};
pub use wait::{wait_readable, wait_readable_timeout, wait_writable, wait_writable_timeout};
pub use waitable::Waitable;
