//! Fiber-locals: values of which each fiber has its own, created at the first use.
//!
//! Invariants:
//! - A value is dropped on its own fiber, after the closure has ended and before the fiber counts
//!   as ended. The youngest value is dropped first.
//! - An inherited value is cloned on the parent, before the child exists, and belongs to the child
//!   from its beginning: it is dropped on the child, even if the child never runs.
//! - A value never moves, and is never dropped while its fiber can still reach it: each is boxed,
//!   and each box is taken out of the list before its destructor runs.

#![allow(unsafe_code, reason = "hands out references into boxes that outlive the fiber's code")]

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU8;

use crate::fiber::current::{self, ThreadState};
use crate::fiber::header::FiberPtr;

/// The fiber-locals of one fiber, in the order in which they were made.
#[derive(Default)]
pub(crate) struct Locals(Vec<Local>);

struct Local {
    key: usize,
    value: Box<dyn Any>,
    inherits: Inherits,
}

type CloneFn = fn(&dyn Any) -> Box<dyn Any>;
type SendCloneFn = fn(&dyn Any) -> Box<dyn Any + Send>;

/// The ways in which other fibers inherit a value.
#[derive(Copy, Clone)]
struct Inherits {
    /// Clones the value for a child, if children inherit it.
    clone: Option<CloneFn>,
    /// Clones the value for a job that any thread may start, if jobs inherit it.
    send: Option<SendCloneFn>,
}

/// The fiber-locals that a job inherits, on their way to the thread that starts it.
#[derive(Default)]
pub(crate) struct SendLocals(Vec<(usize, Box<dyn Any + Send>, Inherits)>);

impl SendLocals {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the fiber-locals with which the fiber of the job begins.
    pub(crate) fn arrive(self) -> Locals {
        if self.0.is_empty() {
            return Locals::default();
        }
        ThreadState::with(|thread| thread.inherits.set(true));
        let locals = self.0.into_iter();
        Locals(locals.map(|(key, value, inherits)| Local { key, value, inherits }).collect())
    }
}

impl fmt::Debug for SendLocals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} fiber-locals", self.0.len())
    }
}

impl Locals {
    fn find(&self, key: usize) -> Option<&dyn Any> {
        self.0.iter().rev().find(|local| local.key == key).map(|local| &*local.value)
    }

    /// Returns the values that others inherit by the function that `way` picks, the oldest first.
    /// Of a key that has two values it returns the younger one.
    fn heirlooms<C>(&self, way: fn(&Inherits) -> Option<C>) -> Vec<Heirloom<C>> {
        let is_last = |at: usize, key| self.0[at + 1..].iter().all(|local| local.key != key);
        let locals = self.0.iter().enumerate();
        let inherited = locals.filter_map(|(at, Local { key, value, inherits })| {
            let clone = way(inherits).filter(|_| is_last(at, *key))?;
            Some(Heirloom { key: *key, value: NonNull::from(&**value), inherits: *inherits, clone })
        });
        inherited.collect()
    }
}

/// A value that is about to be cloned.
struct Heirloom<C> {
    key: usize,
    value: NonNull<dyn Any>,
    inherits: Inherits,
    clone: C,
}

impl fmt::Debug for Locals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} fiber-locals", self.0.len())
    }
}

/// A key to a value of which each fiber has its own. [`local!`](crate::local) declares it.
///
/// The value is initialised when a fiber first uses it, and dropped on that fiber when it ends. A
/// value that is declared as `inherit` may also come from the fiber's parent.
pub struct FiberLocal<T: 'static> {
    init: fn() -> T,
    inherits: Inherits,
    /// A static with its own address, because two keys of the same type must differ.
    id: &'static AtomicU8,
    /// Makes the key invariant in `T`: values are found by the identity of their type, which a
    /// subtype does not share, so a key must not become one of another type.
    marker: PhantomData<fn(T) -> T>,
}

impl<T: 'static> FiberLocal<T> {
    #[doc(hidden)]
    pub const fn new(init: fn() -> T, id: &'static AtomicU8) -> FiberLocal<T> {
        FiberLocal::with_inherits(init, id, None, None)
    }

    #[doc(hidden)]
    pub const fn inherited(init: fn() -> T, id: &'static AtomicU8) -> FiberLocal<T>
    where
        T: Clone,
    {
        FiberLocal::with_inherits(init, id, Some(clone::<T>), None)
    }

    #[doc(hidden)]
    pub const fn inherited_send(init: fn() -> T, id: &'static AtomicU8) -> FiberLocal<T>
    where
        T: Clone + Send,
    {
        FiberLocal::with_inherits(init, id, Some(clone::<T>), Some(clone_to_send::<T>))
    }

    const fn with_inherits(
        init: fn() -> T,
        id: &'static AtomicU8,
        clone: Option<CloneFn>,
        send: Option<SendCloneFn>,
    ) -> FiberLocal<T> {
        FiberLocal { init, inherits: Inherits { clone, send }, id, marker: PhantomData }
    }

    /// Runs `f` with this fiber's value, which is initialised first if this is its first use.
    ///
    /// `f` may wait. Other fibers see their own values meanwhile.
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
            if self.inherits.clone.is_some() {
                ThreadState::with(|thread| thread.inherits.set(true));
            }
            fiber.with_extra(|extra| {
                // If it did, the younger value wins: older references stay valid, as both live
                // until the fiber ends.
                extra.locals.0.push(Local { key, value: made, inherits: self.inherits });
                lookup(&extra.locals).expect("just inserted with this type")
            })
        });
        // SAFETY: only `take_youngest` takes a box out, and only the root of this fiber calls it,
        // when the closure has ended and between two destructors. `f` is not running then on this
        // fiber's own stack, because it would run above that root. Nor is it suspended on the stack
        // of a generator or greenlet: the root unwinds these before each call, and those that it
        // cannot unwind never run again. (A destructor that asks for a value that was taken out
        // creates a new one.) A box does not move its value when the list grows, and no exclusive
        // reference to the value is ever created.
        f(unsafe { value.as_ref() })
    }
}

impl<T: 'static> fmt::Debug for FiberLocal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FiberLocal").finish_non_exhaustive()
    }
}

fn clone<T: Clone + 'static>(value: &dyn Any) -> Box<dyn Any> {
    let value = value.downcast_ref::<T>().expect("a key has values of one type");
    Box::new(value.clone())
}

fn clone_to_send<T: Clone + Send + 'static>(value: &dyn Any) -> Box<dyn Any + Send> {
    let value = value.downcast_ref::<T>().expect("a key has values of one type");
    Box::new(value.clone())
}

/// Returns whether any fiber of this `run` has had a value that its children inherit.
#[inline(always)]
pub(crate) fn may_inherit() -> bool {
    ThreadState::with(|thread| thread.inherits.get())
}

/// Clones the values that a child of the running fiber inherits: user code.
#[cold]
#[inline(never)]
pub(crate) fn for_child() -> Locals {
    let clones = heirlooms_of_current(|inherits| inherits.clone).into_iter().map(|heirloom| {
        let Heirloom { key, value, inherits, clone } = heirloom;
        // SAFETY: like in `with`: this runs on the fiber, so none of its values is taken out before
        // it is done, although the clones may wait, and may create more values.
        Local { key, value: clone(unsafe { value.as_ref() }), inherits }
    });
    Locals(clones.collect())
}

/// Clones the values that a job inherits, if it is spawned now: user code.
pub(crate) fn for_job() -> SendLocals {
    if !may_inherit() {
        return SendLocals::default();
    }
    let clones = heirlooms_of_current(|inherits| inherits.send).into_iter().map(|heirloom| {
        let Heirloom { key, value, inherits, clone } = heirloom;
        // SAFETY: like in `for_child`.
        (key, clone(unsafe { value.as_ref() }), inherits)
    });
    SendLocals(clones.collect())
}

/// Returns the values of the running fiber that others inherit, if one runs.
fn heirlooms_of_current<C>(way: fn(&Inherits) -> Option<C>) -> Vec<Heirloom<C>> {
    let fiber = current::fiber();
    let heirlooms = fiber.and_then(|fiber| fiber.peek_extra(|extra| extra.locals.heirlooms(way)));
    heirlooms.unwrap_or_default()
}

/// Gives a fiber that has not run so far the values that it inherits.
pub(crate) fn bequeath(fiber: FiberPtr, locals: Locals) {
    if !locals.0.is_empty() {
        fiber.with_extra(|extra| extra.locals = locals);
    }
}

/// Returns a clone of the value that is kept under the address of `id` for `fiber`, or keeps the
/// one that `make` makes. It is dropped like a fiber-local of `fiber`.
///
/// Neither `make` nor the clone may run user code or wait.
#[cfg(feature = "http-client")]
pub(crate) fn kept_by<T: Clone + 'static>(
    fiber: FiberPtr,
    id: &'static AtomicU8,
    make: impl FnOnce() -> T,
) -> T {
    let key = (&raw const *id).addr();
    let lookup = |locals: &Locals| locals.find(key).and_then(|value| value.downcast_ref().cloned());
    let found = fiber.peek_extra(|extra| lookup(&extra.locals)).flatten();
    found.unwrap_or_else(|| {
        let made = make();
        let value: Box<dyn Any> = Box::new(made.clone());
        let inherits = Inherits { clone: None, send: None };
        fiber.with_extra(|extra| extra.locals.0.push(Local { key, value, inherits }));
        made
    })
}

/// Returns the number of fiber-locals of the running fiber.
pub(crate) fn count() -> usize {
    current::fiber().and_then(|fiber| fiber.peek_extra(|extra| extra.locals.0.len())).unwrap_or(0)
}

/// Takes the youngest fiber-local of the running fiber. The caller drops it.
pub(crate) fn take_youngest() -> Option<Box<dyn Any>> {
    take_youngest_of(current::fiber()?)
}

/// Takes the youngest fiber-local of a fiber that is ending, or will never run.
pub(crate) fn take_youngest_of(fiber: FiberPtr) -> Option<Box<dyn Any>> {
    fiber.peek_extra(|extra| extra.locals.0.is_empty()).filter(|empty| !empty)?;
    fiber.with_extra(|extra| extra.locals.0.pop()).map(|local| local.value)
}
