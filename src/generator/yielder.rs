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
//! - `incoming` is full from a resume until the generator goes on and takes it, `outgoing` from a
//!   yield until the resumer does. Neither is touched in between, and nothing is left in them: on both
//!   sides the first thing after the switch is to take what is there.
//! - If `raise` is full, it was put there instead of a value.
//! - No reference into any of them is held across a switch, or while user code runs.

#![allow(unsafe_code, reason = "values move between two stacks of one thread")]

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::mem::MaybeUninit;
use std::panic;
use std::thread;

use crate::fiber::strand::Strand;
use crate::generator::error::GeneratorExit;

/// What a generator's function is given to yield with.
///
/// It can be passed by reference to whatever the function calls, at any depth.
pub struct Yielder<Y, R = ()> {
    pub(super) strand: Strand,
    incoming: UnsafeCell<MaybeUninit<R>>,
    outgoing: UnsafeCell<MaybeUninit<Y>>,
    /// To be raised at the pending yield.
    raise: Cell<Option<Box<dyn Any + Send>>>,
    raises: Cell<bool>,
    /// It is being unwound for good: every yield raises a `GeneratorExit`.
    closing: Cell<bool>,
    raised: Cell<u32>,
    /// It cannot be given up.
    borrows: bool,
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
        if !self.strand.is_innermost() || self.closing.get() {
            return self.yield_from_above(value);
        }
        // SAFETY: the slot is empty, and nobody holds a reference to it: see the top.
        unsafe { (*self.outgoing.get()).write(value) };
        // SAFETY: the caller runs on this strand: checked above.
        unsafe { self.strand.suspend() };
        if self.raises.get() {
            self.raise();
        }
        // SAFETY: it was resumed with a value: `raise` says so.
        unsafe { self.receive() }
    }

    /// Where it cannot simply yield: on top of another stack, or because it is closing.
    #[cold]
    #[inline(never)]
    #[track_caller]
    fn yield_from_above(&self, value: Y) -> R {
        if !self.strand.is_innermost() && !self.strand.carries_caller() {
            elsewhere();
        }
        if self.closing.get() {
            self.raise_again(value);
        }
        // SAFETY: as in `yield_`.
        unsafe { (*self.outgoing.get()).write(value) };
        // SAFETY: the caller runs on top of this strand: checked above.
        unsafe { self.strand.suspend_from_above() };
        if self.raises.get() {
            self.raise();
        }
        // SAFETY: as in `yield_`.
        unsafe { self.receive() }
    }

    pub(super) fn new(strand: Strand, borrows: bool) -> Yielder<Y, R> {
        Yielder {
            strand,
            incoming: UnsafeCell::new(MaybeUninit::uninit()),
            outgoing: UnsafeCell::new(MaybeUninit::uninit()),
            raise: Cell::new(None),
            raises: Cell::new(false),
            closing: Cell::new(false),
            raised: Cell::new(0),
            borrows,
        }
    }

    /// Leaves `value` for the generator, which is resumed next.
    #[inline(always)]
    pub(super) fn send(&self, value: R) {
        // SAFETY: the slot is empty, and nobody holds a reference to it: see the top.
        unsafe { (*self.incoming.get()).write(value) };
    }

    /// Leaves `payload` to be raised in the generator, which is resumed next.
    pub(super) fn send_raise(&self, payload: Box<dyn Any + Send>) {
        self.raise.set(Some(payload));
        self.raises.set(true);
    }

    /// What is to be raised instead of a value, if anything is.
    pub(super) fn take_raise(&self) -> Option<Box<dyn Any + Send>> {
        self.raises.set(false);
        self.raise.take()
    }

    /// What the generator was resumed with.
    ///
    /// # Safety
    ///
    /// It must have been resumed with a value that was not taken yet.
    #[inline(always)]
    pub(super) unsafe fn receive(&self) -> R {
        // SAFETY: the slot is full (the caller's promise), and nobody holds a reference to it.
        unsafe { (*self.incoming.get()).assume_init_read() }
    }

    /// What the generator has yielded.
    ///
    /// # Safety
    ///
    /// It must have yielded since it was last resumed.
    #[inline(always)]
    pub(super) unsafe fn take(&self) -> Y {
        // SAFETY: as in `receive`.
        unsafe { (*self.outgoing.get()).assume_init_read() }
    }

    #[cold]
    #[inline(never)]
    fn raise(&self) -> ! {
        let payload = self.take_raise().expect("there is something to raise");
        panic::resume_unwind(payload)
    }

    /// From here on every yield raises.
    pub(super) fn set_closing(&self) {
        self.closing.set(true);
    }

    /// The generator caught the `GeneratorExit` and yields; nobody wants that.
    #[cold]
    #[inline(never)]
    fn raise_again(&self, value: Y) -> ! {
        self.raised.set(self.raised.get() + 1);
        // In a destructor nothing can be raised, and a loop that catches everything never ends. If
        // the thread unwound before, it may or may not be one: a generator that borrows is unwound
        // at any rate, and at worst the process aborts, which it would if it were given up.
        let in_destructor =
            if self.borrows { self.strand.has_begun_to_unwind() } else { thread::panicking() };
        if MOST_RAISES < self.raised.get() || in_destructor {
            // SAFETY: the caller runs on this strand or on top of it: `yield_from_above` checked.
            unsafe { self.strand.leave_for_ever() };
        }
        drop(value);
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
