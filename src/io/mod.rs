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
//! # The terminal
//!
//! The standard streams of a process are often one terminal, shared with the shell: made non-blocking it
//! would be so for `println!` and for the next program as well. Wait for it, and then read a line as
//! usual: a terminal hands lines over as a whole.
//!
//! ```no_run
//! fibra::run(|| -> std::io::Result<()> {
//!     let mut line = String::new();
//!     fibra::io::wait_readable(std::io::stdin())?; // the other fibers run meanwhile
//!     std::io::stdin().read_line(&mut line)?;
//!     Ok(())
//! })?;
//! # std::io::Result::Ok(())
//! ```
//!
//! That is right for who types. Of what comes through a pipe all at once std reads more than a line ahead,
//! and what it has got nothing waits for: there the [`File`](std::fs::File) of a duplicate of the descriptor
//! is read in a [`Waitable`].

pub(crate) mod by_reference;
mod poll;
pub(crate) mod room;
mod shared;
mod wait;
mod waitable;

pub use poll::PollIo;
pub use shared::{SharedRead, SharedWrite};
pub use wait::{wait_readable, wait_readable_timeout, wait_writable, wait_writable_timeout};
pub use waitable::Waitable;
