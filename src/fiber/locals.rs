//! Fiber-locals: values that each fiber has of its own, made on first use.
//!
//! Invariants:
//! - A value is dropped on its own fiber, after the closure has ended and before the fiber counts
//!   as ended; the youngest first.
//! - A value never moves and is dropped neither while its fiber can still reach it: each is boxed,
//!   and the list of boxes is taken out before the destructors run.

#![allow(unsafe_code, reason = "hands out references into boxes that outlive the fiber's code")]

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU8;

use crate::fiber::current;

/// The fiber-locals of one fiber, in the order in which they were made.
#[derive(Default)]
pub(crate) struct Locals(Vec<(usize, Box<dyn Any>)>);

impl Locals {
    fn find(&self, key: usize) -> Option<&dyn Any> {
        self.0.iter().rev().find(|(other, _)| *other == key).map(|(_, value)| &**value)
    }
}

impl fmt::Debug for Locals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} fiber-locals", self.0.len())
    }
}

/// A key to a value that each fiber has of its own. Made by [`local!`](crate::local).
///
/// The value is initialised when a fiber first uses it, and dropped on that fiber when it ends.
pub struct FiberLocal<T: 'static> {
    init: fn() -> T,
    /// Something with an address of its own: two keys of the same type must differ.
    id: &'static AtomicU8,
    marker: PhantomData<fn() -> T>,
}

impl<T: 'static> FiberLocal<T> {
    #[doc(hidden)]
    pub const fn new(init: fn() -> T, id: &'static AtomicU8) -> FiberLocal<T> {
        FiberLocal { init, id, marker: PhantomData }
    }

    /// Runs `f` with this fiber's value, which is initialised first if this is its first use.
    ///
    /// `f` may wait; other fibers see their own values meanwhile.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        let fiber = current::expect_fiber();
        let key = (&raw const *self.id).addr();
        let lookup = |locals: &Locals| {
            locals.find(key).and_then(|value| value.downcast_ref::<T>()).map(NonNull::from)
        };
        let found = fiber.peek_extra(|extra| lookup(&extra.locals)).flatten();
        let value = found.unwrap_or_else(|| {
            // The initialiser is user code and may use this very key, or wait: no borrow is held.
            let made: Box<dyn Any> = Box::new((self.init)());
            fiber.with_extra(|extra| {
                // If it did, the younger value wins: older references stay valid, as both live
                // until the fiber ends.
                extra.locals.0.push((key, made));
                lookup(&extra.locals).expect("just inserted with this type")
            })
        });
        // SAFETY: the box is taken out by `take_youngest` only, which the root of this fiber calls
        // when its closure has ended and between two destructors: never while `f` runs on this
        // fiber's own stack, above that root, nor while it is suspended on that of a generator or
        // greenlet: the root unwinds these before each call, and those that it cannot unwind never
        // run again. (A destructor that asks for a value that was taken out
        // makes a new one.) A box does not move its value when the list grows, and no exclusive
        // reference to the value is ever made.
        f(unsafe { value.as_ref() })
    }
}

impl<T: 'static> fmt::Debug for FiberLocal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FiberLocal").finish_non_exhaustive()
    }
}

/// How many fiber-locals the running fiber has.
pub(crate) fn count() -> usize {
    current::fiber().and_then(|fiber| fiber.peek_extra(|extra| extra.locals.0.len())).unwrap_or(0)
}

/// Takes the youngest fiber-local of the running fiber: the caller drops it.
pub(crate) fn take_youngest() -> Option<Box<dyn Any>> {
    let fiber = current::fiber()?;
    fiber.peek_extra(|extra| extra.locals.0.is_empty()).filter(|empty| !empty)?;
    fiber.with_extra(|extra| extra.locals.0.pop()).map(|(_, value)| value)
}

/// Declares fiber-locals, as [`std::thread_local!`] declares thread-locals.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
///
/// fibra::local! {
///     static COUNT: Cell<u32> = Cell::new(0);
/// }
///
/// fibra::run(|| {
///     COUNT.with(|count| count.set(7));
///     let other = fibra::spawn(|| COUNT.with(Cell::get));
///     assert_eq!(other.join().unwrap(), 0);
///     assert_eq!(COUNT.with(Cell::get), 7);
/// });
/// ```
#[macro_export]
macro_rules! local {
    ($($(#[$attr:meta])* $vis:vis static $name:ident: $t:ty = $init:expr);+ $(;)?) => {
        $(
            $(#[$attr])*
            $vis static $name: $crate::FiberLocal<$t> = {
                // Zero-sized statics may share an address; this one has a byte of its own, and
                // interior mutability so that it is merged with no other.
                static ID: ::std::sync::atomic::AtomicU8 = ::std::sync::atomic::AtomicU8::new(0);
                $crate::FiberLocal::new(|| $init, &ID)
            };
        )+
    };
}
