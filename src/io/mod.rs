//! Waiting for file descriptors: any of them, from anywhere.
//!
//! [`Waitable`] makes a descriptor of any kind (a pipe, a terminal, a device, a socket that a foreign
//! library made) wait like the sockets of [`net`](crate::net): the fiber does, and its thread runs
//! others. [`wait_readable`] and [`wait_writable`] are for a descriptor that somebody else owns, such
//! as that of a C library with an interface for event loops.
//!
//! On a plain thread, outside of [`fibra::run`](crate::run), all of these block the thread.
//!
//! Regular files are always ready as far as the kernel is concerned, and block the thread all the same:
//! [`fs`](crate::fs) is for these.
//!
//! # Standard input
//!
//! [`stdin`] is as [`std::io::stdin`], and waits like the rest: one fiber reads what is typed, the others run.
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

pub(crate) mod by_reference;
mod input;
pub(crate) mod pipe;
mod poll;
pub(crate) mod room;
mod shared;
mod stdin;
mod wait;
mod waitable;

pub use poll::PollIo;
pub use shared::{SharedRead, SharedWrite};
pub use stdin::{Stdin, StdinLock, stdin};
pub use wait::{wait_readable, wait_readable_timeout, wait_writable, wait_writable_timeout};
pub use waitable::Waitable;
