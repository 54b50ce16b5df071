//! Readiness of file descriptors: who waits for what, and the kernel's answer.
//!
//! ```text
//!   fiber: read --> EAGAIN --> Source -- register once --> Driver (one a scheduler)
//!             ^                                              |  epoll, or `polling`
//!             |   ready bits, first reader, first writer     v
//!             +------------- Registration <------------- events, once a turn
//! ```
//!
//! The contract, in the order of events:
//! - An operation is tried first. Only when it would block is its descriptor registered with the
//!   scheduler of the fiber, once and for both directions, and stays so until it is closed.
//! - A registration keeps two bits: the descriptor may be readable, may be writable. The kernel sets
//!   them (an edge), and an operation that would block takes its bit back. While a bit is clear the
//!   kernel owes an event, so waiting costs no system call.
//! - Fibers that want the same direction stand in line. Only the first may try, and it passes the turn
//!   on when it leaves, however it leaves.
//! - A descriptor may be used from several threads: each scheduler has a registration of its own.
//!   Without a scheduler a thread blocks in `poll(2)`.
//!
//! Registrations are found by the number of their descriptor and an identity that is never used again,
//! so an event for a descriptor that was closed reaches nobody, even if its number was given to another.
//!
//! Reading order: [`registration`], [`driver`], [`source`]; [`retry`] is for what has no event, [`polled`]
//! for futures.

pub(crate) mod driver;
#[cfg(all(any(target_os = "linux", target_os = "android"), not(fibra_polling)))]
mod epoll;
mod polled;
mod poller;
#[cfg(any(not(any(target_os = "linux", target_os = "android")), fibra_polling))]
mod portable;
mod registration;
pub(crate) mod retry;
pub(crate) mod source;
mod tasks;
