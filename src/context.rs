//! Context that travels with a fiber: values that are "current on the thread" while the fiber runs,
//! and do not leak into the other fibers of the thread.
//!
//! Some libraries keep a current value in a thread-local variable: the span of a log, the id of a
//! request, a transaction. They assume that a thread does one thing at a time. A fiber that waits
//! while it has set such a variable leaves it set for the fibers that run meanwhile. [`carry`] sets
//! the variable for the code of a closure only: each time that the fiber is suspended in the middle
//! of the closure, the value is taken off the thread, and it is put back when the fiber resumes.
//!
//! For your own values, fiber-locals ([`local!`](crate::local!)) are simpler: they need no
//! switching. This module is for variables that belong to other code.
//!
//! # Examples
//!
//! The id of a request, in a variable that a library of logging owns:
//!
//! ```
//! use fibra::context::{Carried, carry};
//!
//! mod logger {
//!     use std::cell::Cell;
//!     thread_local! { pub static REQUEST: Cell<u64> = const { Cell::new(0) } }
//!     pub fn log(text: &str) -> String {
//!         format!("[{}] {text}", REQUEST.get())
//!     }
//! }
//!
//! struct Request(u64);
//!
//! impl Carried for Request {
//!     fn enter(&self) {
//!         logger::REQUEST.set(self.0);
//!     }
//!     fn leave(&self) {
//!         logger::REQUEST.set(0);
//!     }
//! }
//!
//! fibra::run(|| {
//!     let serve = |id| {
//!         move || carry(&Request(id), || {
//!             fibra::yield_now(); // the other request runs now
//!             logger::log("done")
//!         })
//!     };
//!     let (a, b) = (fibra::spawn(serve(1)), fibra::spawn(serve(2)));
//!     assert_eq!(a.join().unwrap(), "[1] done");
//!     assert_eq!(b.join().unwrap(), "[2] done");
//!     assert_eq!(logger::log("main"), "[0] main");
//! });
//! ```
//!
//! If the variable is a [`Cell`], [`with_value`] does the same without a trait.
//!
//! # Rules
//!
//! [`enter`](Carried::enter) and [`leave`](Carried::leave) are called in pairs, on the fiber whose
//! context it is. Regions nest: they are left from the innermost to the outermost one, and entered
//! in the reverse order. A fiber that is not in any region pays nothing.
//!
//! In the middle of a region, the two functions run while the fiber is switched. There they
//!
//! - must not wait: a call that would wait panics. A yield to which the scheduler would force a
//!   fiber that never waits is left out.
//! - may use everything else: spawn, send to a channel that has room, drop values. Greenlets cannot
//!   be switched there, and generators cannot be started.
//! - may panic: the panic is reported on standard error and not passed on, because the wait has
//!   completed, and its result would be lost. At the beginning and the end of the region, a panic
//!   goes to the caller of [`carry`].
//! - run inside a [shield](crate::shield).
//!
//! A region on the stack of a generator or greenlet is left while that is suspended, and entered
//! when it is resumed. The regions of the code that resumes it stay entered meanwhile. This holds
//! for generators that run in a fiber. In one of a plain thread, inside
//! [`fibra::frame`](crate::frame()), a region stays entered until it ends.
//!
//! A fiber that is [abandoned](crate::guide::pitfalls) in the middle of a region has left it.
//!
//! Regions are not inherited by the fibers that are spawned in them.
//!
//! # What cannot be carried
//!
//! A guard that a library gives out, and that restores the previous state when it is dropped,
//! cannot be held across a wait: nothing but the library can take its value off the thread. Some
//! examples:
//!
//! - `tokio::runtime::EnterGuard` of `Handle::enter`. tokio panics if guards are dropped in another
//!   order than the reverse one. Enter a handle around calls that do not wait, for example around
//!   each poll of a future.
//! - The mark of `futures::executor::block_on` and `LocalPool`, which panic with "cannot execute
//!   `LocalPool` executor from within another executor" as long as one of them runs on the thread.
//!   They also block the thread. Use [`block_on`](crate::future::block_on()) in fibers.
//! - `tracing::span::Entered`, the result of `Span::enter`: the span stays current for other
//!   fibers.
//!
//! Whatever can be set and unset by two functions can be carried.

use std::cell::Cell;
use std::thread::LocalKey;

use crate::fiber::carried;
pub use crate::fiber::carried::Carried;
use crate::fiber::current;

/// Runs `f` while `context` is current on the thread whenever the caller's fiber runs the code of
/// `f`.
///
/// [`enter`](Carried::enter) is called first. [`leave`](Carried::leave) is called each time that
/// the fiber is suspended inside `f`, and `enter` when it resumes. At the end `leave` is called,
/// also if `f` unwinds.
///
/// May also be called outside of a fiber, where only the first and the last call are made.
///
/// # Panics
///
/// Panics with the panic of `f`, of the first `enter` or of the last `leave`. If `f` and the last
/// `leave` panic, the latter is reported and not passed on.
///
/// # Examples
///
/// See the [module](self).
pub fn carry<R>(context: &dyn Carried, f: impl FnOnce() -> R) -> R {
    carried::carry(current::fiber(), context, f)
}

/// Runs `f` while `key` contains `value` whenever the caller's fiber runs the code of `f`.
///
/// While the fiber is suspended inside `f`, and at the end, the variable contains what it contained
/// before. A value that `f` sets stays with the fiber: it is put back when the fiber resumes. The
/// last one is dropped at the end.
///
/// May also be called outside of a fiber.
///
/// # Panics
///
/// Panics with the panic of `f`, and if the thread ends and the variable was destroyed.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
/// use fibra::context::with_value;
///
/// thread_local! { static DEPTH: Cell<u32> = const { Cell::new(0) } }
///
/// fibra::run(|| {
///     let child = fibra::spawn(|| {
///         with_value(&DEPTH, 1, || {
///             fibra::yield_now();
///             DEPTH.set(DEPTH.get() + 1);
///             fibra::yield_now();
///             DEPTH.get()
///         })
///     });
///     fibra::yield_now();
///     assert_eq!(DEPTH.get(), 0);
///     assert_eq!(child.join().unwrap(), 2);
/// });
/// ```
pub fn with_value<T: 'static, R>(
    key: &'static LocalKey<Cell<T>>,
    value: T,
    f: impl FnOnce() -> R,
) -> R {
    carry(&Swapped { key, other: Cell::new(Some(value)) }, f)
}

/// A value that is exchanged with that of a thread-local variable.
struct Swapped<T: 'static> {
    key: &'static LocalKey<Cell<T>>,
    /// The value of the fiber while it is off the thread, and else the other one. `None` only
    /// during an exchange.
    other: Cell<Option<T>>,
}

impl<T> Swapped<T> {
    fn exchange(&self) {
        let Some(value) = self.other.take() else { return };
        self.other.set(Some(self.key.replace(value)));
    }
}

impl<T> Carried for Swapped<T> {
    fn enter(&self) {
        self.exchange();
    }

    fn leave(&self) {
        self.exchange();
    }
}
