//! Signals of the operating system, received in a fiber that waits for them.
//!
//! | | |
//! |---|---|
//! | [`Signals`] | a stream of chosen signals |
//! | [`ctrl_c`] | waits for the next Ctrl-C |
//! | [`on`] | calls a closure for each signal, in a fiber |
//! | [`fibra::main`](crate::main()) | ends the program in an orderly way on Ctrl-C |
//! | [`fibra::dump_on_sigquit`](crate::dump_on_sigquit) | writes all fibers of the process |
//!
//! No signal is intercepted before it is asked for. Signals belong to the process, not to a thread:
//! each subscriber, on any thread, gets every signal that it has subscribed to. `SIGCHLD` is free:
//! fibra's [`process`](crate::process) does not use it.
//!
//! # What becomes of the default action
//!
//! A signal that has a subscriber has no other effect any more; a `SIGTERM`, for example, does not
//! end the process. When its last subscriber is gone the default action happens again. (The handler
//! stays installed, and does what the kernel would have done. It does so only if the signal had its
//! default action when it was first subscribed to. A handler that was installed before is called in
//! any case; one that another crate adds *later*, through `signal-hook-registry`, would not prevent
//! the default action, such as the end of the process: keep a [`Signals`] then.) [`ctrl_c`] is the
//! exception: from its first call on Ctrl-C never ends the process by itself.
//!
//! # Signals coalesce
//!
//! The kernel, and a [`Signals`], record *that* a signal has come and not how often. Two that come
//! before the first is received may be received as one. At least one of them is always received.
//!
//! # In the handler
//!
//! A handler may run between any two instructions of the thread. Those of this module set a bit and
//! write a byte into a pipe, which does not block; everything else happens in the receiver. They
//! run on the thread's signal stack and not on that of a fiber, which may be small.

mod action;
pub(crate) mod attendant;
mod bell;
mod number;
mod on;
mod signals;

pub use number::Signal;
pub use on::{OnSignal, ctrl_c, on};
pub use signals::{IntoIter, Iter, Signals};

pub(crate) use action::{Action, Presses, is_ignored, subscribe};
