//! What a generator yields with: the place where it and its resumer exchange values.
//!
//! ```text
//!    resumer's stack                    heap                       generator's stack
//!    +----------------+   incoming   +---------+   incoming   +--------------------+
//!    | resume(value) -+------------->| Yielder |------------->| let v = y.yield_() |
//!    |   Yielded(v) <-+--------------| strand  |<-------------+                    |
//!    +----------------+   outgoing   +---------+   outgoing   +--------------------+
//! ```
//!
//! Invariants:
//! - `incoming` is full from a resume until the generator has taken it, `outgoing` from a yield until
//!   the resumer has. Both are empty otherwise: each is written only when it is known to be.
//! - No reference into either is held across a switch, or while user code runs.

#![allow(unsafe_code, reason = "values move between two stacks of one thread")]

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::panic;

use crate::fiber::strand::Strand;
use crate::generator::core::Message;
use crate::generator::error::GeneratorExit;

/// What a generator's function is given to yield with.
///
/// It can be passed by reference to whatever the function calls, at any depth.
pub struct Yielder<Y, R = ()> {
    pub(super) strand: Strand,
    incoming: UnsafeCell<Option<Message<R>>>,
    outgoing: UnsafeCell<Option<Y>>,
    /// It is being unwound for good: every yield raises a `GeneratorExit`.
    closing: Cell<bool>,
    raised: Cell<u32>,
}

/// A `GeneratorExit` that is caught this often does not end its generator: it is given up.
const MOST_RAISES: u32 = 100;

impl<Y, R> Yielder<Y, R> {
    /// Gives `value` to whoever has resumed the generator, and waits to be resumed again: then this
    /// is what `resume` was called with.
    ///
    /// In a generator that was resumed by another one's code it may be the other's: then both are
    /// suspended, and go on together.
    ///
    /// # Panics
    ///
    /// Panics where the generator does not run: on another fiber, or in a greenlet that it has
    /// switched to. Unwinds with what [`throw`](crate::generator::Generator::throw) was called with,
    /// and with [`GeneratorExit`] if the generator is closed.
    #[inline(always)]
    #[track_caller]
    pub fn yield_(&self, value: Y) -> R {
        if !self.strand.is_running_here() {
            elsewhere();
        }
        if self.closing.get() {
            self.raise_again(value);
        }
        // SAFETY: nobody holds a reference to the slot, and it is empty: the resumer took what the
        // last yield left, or nothing was yielded yet.
        unsafe { self.outgoing.get().write(Some(value)) };
        // SAFETY: the caller runs on this strand, or on top of it: checked above.
        unsafe { self.strand.suspend() };
        match self.receive() {
            Message::Value(value) => value,
            Message::Raise(payload) => panic::resume_unwind(payload),
        }
    }

    pub(super) fn new(strand: Strand) -> Yielder<Y, R> {
        Yielder {
            strand,
            incoming: UnsafeCell::new(None),
            outgoing: UnsafeCell::new(None),
            closing: Cell::new(false),
            raised: Cell::new(0),
        }
    }

    /// Leaves `message` for the generator, which must be suspended.
    #[inline(always)]
    pub(super) fn send(&self, message: Message<R>) {
        // SAFETY: nobody holds a reference to the slot, and it is empty: the generator took what the
        // last resume left before it could yield.
        unsafe { self.incoming.get().write(Some(message)) };
    }

    /// What the last resume has left.
    #[inline(always)]
    pub(super) fn receive(&self) -> Message<R> {
        // SAFETY: nobody holds a reference to the slot; the value moves out, so no user code runs.
        let message = unsafe { (*self.incoming.get()).take() };
        message.expect("a generator runs because it was resumed with something")
    }

    /// What the generator has yielded, if it has.
    #[inline(always)]
    pub(super) fn take(&self) -> Option<Y> {
        // SAFETY: as in `receive`.
        unsafe { (*self.outgoing.get()).take() }
    }

    /// From here on every yield raises.
    pub(super) fn set_closing(&self) {
        self.closing.set(true);
    }

    /// The generator caught the `GeneratorExit` and yields; nobody wants that.
    #[cold]
    #[inline(never)]
    fn raise_again(&self, value: Y) -> ! {
        drop(value);
        self.raised.set(self.raised.get() + 1);
        // In a destructor nothing can be raised, and a loop that catches everything never ends.
        if MOST_RAISES < self.raised.get() || std::thread::panicking() {
            // SAFETY: as in `yield_`, which calls this: the caller runs on this strand.
            unsafe { self.strand.leave_for_ever() };
        }
        panic::resume_unwind(Box::new(GeneratorExit) as Box<dyn Any + Send>)
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn elsewhere() -> ! {
    panic!(
        "a yield outside of its generator: the generator does not run here, on this fiber and in \
         this greenlet; yield from its own function, or from what that calls"
    )
}

impl<Y, R> fmt::Debug for Yielder<Y, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Yielder").field("strand", &self.strand).finish_non_exhaustive()
    }
}
