//! Readiness of file descriptors: fibers and futures that wait for it, and the kernel's events.
//!
//! ```text
//!   fiber: read --> EAGAIN --> Source -- register once --> Driver (one per scheduler)
//!             ^                                              |  epoll, or `polling`
//!             |   ready bits, first reader, first writer     v
//!             +------------- Registration <------------- events, once per turn
//! ```
//!
//! The contract, in the order of events:
//! - An operation is tried first. Only when it would block is its descriptor registered with the
//!   scheduler of the fiber, once and for both directions, and it stays registered until it is
//!   closed.
//! - A registration keeps two bits: the descriptor may be readable, may be writable. The kernel
//!   sets them (an edge), and an operation that would block clears its bit. While a bit is clear
//!   the kernel owes an event, so waiting costs no system call.
//! - Fibers that wait for the same direction form a queue. Only the first may try, and it wakes the
//!   next one when it leaves, however it leaves.
//! - A descriptor may be used from several threads: each scheduler has a registration of its own. A
//!   thread without a scheduler blocks in `poll(2)`; a future that it polls waits at the
//!   [`background`] reactor, which is a thread.
//!
//! Registrations are found by the number of their descriptor and an identity that is never reused,
//! so an event for a descriptor that was closed is dropped, even if its number was given to
//! another.
//!
//! Reading order: [`registration`], [`driver`], [`source`]; [`retry`] is for operations without
//! events, [`poll`] for futures.

pub(crate) mod background;
pub(crate) mod driver;
#[cfg(all(any(target_os = "linux", target_os = "android"), not(fibra_polling)))]
mod epoll;
mod names;
pub(crate) mod poll;
mod poller;
#[cfg(any(not(any(target_os = "linux", target_os = "android")), fibra_polling))]
mod portable;
mod registration;
pub(crate) mod retry;
pub(crate) mod source;
mod tasks;
