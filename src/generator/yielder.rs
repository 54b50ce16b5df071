//! The value through which a generator yields: the place where it and its resumer exchange values.
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
//! - `incoming` is full from a resume until the generator continues and takes the value, `outgoing`
//!   from a yield until the resumer takes the value. Neither is touched in between, and nothing is
//!   left in them: on both sides the first action after the switch is to take what is there.
//! - If `raise` is full, it was filled instead of `incoming`.
//! - No reference into any of them is held across a switch, or while user code runs.

#![allow(unsafe_code, reason = "values move between two stacks of one thread")]

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::mem::MaybeUninit;
use std::panic;
use std::thread;

use crate::fiber::coroutine::Coroutine;
use crate::generator::error::GeneratorExit;

/// The argument through which a generator's function yields.
///
/// It can be passed by reference to whatever the function calls, at any depth.
///
/// # Examples
///
/// ```
/// use fibra::generator::{self, Yielder};
///
/// fn count_down(y: &Yielder<u32>, from: u32) {
///     if from != 0 {
///         y.yield_(from);
///         count_down(y, from - 1);
///     }
/// }
///
/// fibra::frame(|| {
///     assert_eq!(generator::iter(|y| count_down(y, 3)).collect::<Vec<_>>(), [3, 2, 1]);
/// });
/// ```
pub struct Yielder<Y, R = ()> {
    pub(super) coroutine: Coroutine,
    incoming: UnsafeCell<MaybeUninit<R>>,
    outgoing: UnsafeCell<MaybeUninit<Y>>,
    /// The payload to be raised at the pending yield.
    raise: Cell<Option<Box<dyn Any + Send>>>,
    /// Whether `raise` is full.
    raises: Cell<bool>,
    /// Whether the generator is being unwound by the end of its handle, scope or frame: every yield
    /// raises a `GeneratorExit`.
    closing: Cell<bool>,
    /// The number of yields that have raised a `GeneratorExit` since then.
    raised: Cell<u32>,
    /// Whether the generator belongs to a scope. It then may borrow, and cannot be abandoned.
    borrows: bool,
}

/// The most times that a generator may catch its `GeneratorExit`: if it catches it once more, it is
/// abandoned.
const MOST_RAISES: u32 = 100;

impl<Y, R> Yielder<Y, R> {
    /// Yields `value` to the caller that has resumed the generator, and waits until the generator
    /// is resumed again. Returns the value that `resume` was then called with.
    ///
    /// The innermost generator that runs may also yield through the `Yielder` of a generator that
    /// has resumed it. Then both are suspended, and continue together.
    ///
    /// # Panics
    ///
    /// Panics where the generator does not run: on another fiber, or in a greenlet that it has
    /// switched to. Unwinds with the payload that [`throw`](crate::generator::Generator::throw) was
    /// called with, and with [`GeneratorExit`] if the generator is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::generator::{self, Yielder};
    ///
    /// fn count_down(y: &Yielder<u32>, n: u32) {
    ///     if 0 < n {
    ///         y.yield_(n);
    ///         count_down(y, n - 1);
    ///     }
    /// }
    ///
    /// fibra::frame(|| {
    ///     let numbers = generator::iter(|y| count_down(y, 3));
    ///     assert_eq!(numbers.collect::<Vec<_>>(), [3, 2, 1]);
    /// });
    /// ```
    #[inline(always)]
    #[track_caller]
    pub fn yield_(&self, value: Y) -> R {
        if !self.coroutine.is_innermost() || self.closing.get() {
            return self.yield_from_above(value);
        }
        // SAFETY: the slot is empty, and nothing holds a reference to it: see the invariants above.
        unsafe { (*self.outgoing.get()).write(value) };
        // SAFETY: the caller runs on this coroutine: checked above.
        unsafe { self.coroutine.suspend() };
        if self.raises.get() {
            self.raise();
        }
        // SAFETY: the generator was resumed with a value: there was nothing to raise.
        unsafe { self.receive() }
    }

    /// Yields where a plain suspend is not enough: on top of another stack, or while the generator
    /// is closing.
    #[cold]
    #[inline(never)]
    #[track_caller]
    fn yield_from_above(&self, value: Y) -> R {
        if !self.coroutine.is_innermost() && !self.coroutine.carries_caller() {
            elsewhere();
        }
        if self.closing.get() {
            self.raise_again(value);
        }
        // SAFETY: as in `yield_`.
        unsafe { (*self.outgoing.get()).write(value) };
        // SAFETY: the caller runs on top of this coroutine: checked above.
        unsafe { self.coroutine.suspend_from_above() };
        if self.raises.get() {
            self.raise();
        }
        // SAFETY: as in `yield_`.
        unsafe { self.receive() }
    }

    pub(super) fn new(coroutine: Coroutine, borrows: bool) -> Yielder<Y, R> {
        Yielder {
            coroutine,
            incoming: UnsafeCell::new(MaybeUninit::uninit()),
            outgoing: UnsafeCell::new(MaybeUninit::uninit()),
            raise: Cell::new(None),
            raises: Cell::new(false),
            closing: Cell::new(false),
            raised: Cell::new(0),
            borrows,
        }
    }

    /// Leaves `value` for the generator, which the caller resumes next.
    #[inline(always)]
    pub(super) fn send(&self, value: R) {
        // SAFETY: the slot is empty, and nothing holds a reference to it: see the invariants above.
        unsafe { (*self.incoming.get()).write(value) };
    }

    /// Leaves `payload` to be raised in the generator, which the caller resumes next.
    pub(super) fn send_raise(&self, payload: Box<dyn Any + Send>) {
        self.raise.set(Some(payload));
        self.raises.set(true);
    }

    /// Takes the payload that must be raised instead of a value, if there is one.
    pub(super) fn take_raise(&self) -> Option<Box<dyn Any + Send>> {
        self.raises.set(false);
        self.raise.take()
    }

    /// Takes the value that the generator was resumed with.
    ///
    /// # Safety
    ///
    /// The generator must have been resumed with a value that has not been taken yet.
    #[inline(always)]
    pub(super) unsafe fn receive(&self) -> R {
        // SAFETY: the slot is full (the caller's obligation), and nothing holds a reference to it.
        unsafe { (*self.incoming.get()).assume_init_read() }
    }

    /// Takes the value that the generator has yielded.
    ///
    /// # Safety
    ///
    /// The generator must have yielded since it was last resumed, and the value must not have been
    /// taken yet.
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

    /// Makes every yield raise a `GeneratorExit` from now on.
    pub(super) fn set_closing(&self) {
        self.closing.set(true);
    }

    /// Raises a `GeneratorExit` once more in a generator that caught one and yields, and drops the
    /// value. Abandons the generator if that does not help or is not possible.
    #[cold]
    #[inline(never)]
    fn raise_again(&self, value: Y) -> ! {
        self.raised.set(self.raised.get() + 1);
        // In a destructor nothing can be raised, and a loop that catches everything never ends. If
        // the thread was unwinding before, this code may or may not run in a destructor: a
        // generator that borrows is unwound in any case. At worst the process aborts, which it
        // would also do if the generator were abandoned.
        let in_destructor =
            if self.borrows { self.coroutine.has_begun_to_unwind() } else { thread::panicking() };
        if MOST_RAISES < self.raised.get() || in_destructor {
            // SAFETY: the caller runs on this coroutine or on top of it: `yield_from_above` has
            // checked that.
            unsafe { self.coroutine.leave_forever() };
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
        "a yield outside of its generator: the generator is not running in this fiber and \
         greenlet; yield only from its own function, or from functions that it calls"
    )
}

impl<Y, R> fmt::Debug for Yielder<Y, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Yielder").field("coroutine", &self.coroutine).finish_non_exhaustive()
    }
}
