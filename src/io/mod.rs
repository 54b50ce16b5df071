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
//! use a pool of threads for these.

mod poll;
mod shared;
mod wait;
mod waitable;

pub use poll::PollIo;
pub use shared::{SharedRead, SharedWrite};
pub use wait::{wait_readable, wait_readable_timeout, wait_writable, wait_writable_timeout};
pub use waitable::Waitable;
