//! Signals of the operating system, received where it suits the program: in a fiber that waits.
//!
//! | | |
//! |---|---|
//! | [`Signals`] | a stream of the signals that were asked for |
//! | [`ctrl_c`] | waits for the next Ctrl-C |
//! | [`on`] | a fiber that calls a closure for each |
//! | [`fibra::main`](crate::main()) | Ctrl-C ends the program in an orderly way |
//!
//! Nothing is taken over before it is asked for. Signals belong to the process, not to a thread:
//! each subscriber, on whatever thread, gets every signal that it has asked for. `SIGCHLD` is free:
//! fibra's [`process`](crate::process) does without.
//!
//! # What becomes of the default action
//!
//! A signal that has a subscriber does nothing by itself any more; a `SIGTERM`, say, does not end
//! the process. When its last subscriber is gone the default action happens again. (The handler
//! stays, and does what the kernel would have done. It does so only if the signal had its default
//! action when it was first asked for. A handler that was there before is called in any case; one
//! that another crate adds *later*, through `signal-hook-registry`, would not keep the process from
//! its end: keep a [`Signals`] then.) [`ctrl_c`] is the exception: from its first call on Ctrl-C
//! never ends the process by itself.
//!
//! # Signals coalesce
//!
//! The kernel, and a [`Signals`], remember *that* a signal has come and not how often. Two that
//! come before the first is received may be received as one. None is lost altogether.
//!
//! # In the handler
//!
//! A handler may run between any two instructions of the thread. Those of this module set a bit and
//! write a byte into a pipe, which does not block; everything else happens in whoever waits. They
//! run on the thread's signal stack and not on that of a fiber, which may be small.

mod action;
mod bell;
mod number;
mod on;
mod signals;

pub use number::Signal;
pub use on::{OnSignal, ctrl_c, on};
pub use signals::{IntoIter, Iter, Signals};

pub(crate) use action::{Action, Presses, is_ignored, subscribe};
