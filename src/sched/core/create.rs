//! The creation of fibers: their records, and their first place, in the ring or outside it.
//!
//! Invariants:
//! - While `run` is ending no fiber is created paused: it would never get the turn in which it
//!   ends.

#![allow(unsafe_code, reason = "erases the types of closures and their outputs")]

use std::mem;
use std::panic::Location;

use crate::fiber::current;
use crate::fiber::header::{FiberPtr, FiberRef};
use crate::fiber::id::Parent;
use crate::fiber::task;
use crate::sched::core::pause::PAUSED;
use crate::sched::core::scheduler::Scheduler;
use crate::stack::SizeClass;

/// Allocates a fiber of `sched`. It is neither admitted nor queued. `origin` is the place where it
/// is spawned, and the fiber that spawns it.
///
/// # Safety
///
/// The promises of [`task::allocate`].
#[inline]
pub(crate) unsafe fn create<F, T>(
    sched: &Scheduler,
    class: SizeClass,
    f: F,
    origin: (&'static Location<'static>, Parent),
) -> FiberRef
where
    F: FnOnce() -> T,
{
    let class = task::class_for::<F, T>(class);
    let id = sched.next_id();
    if const { mem::size_of::<F>() <= task::LARGE_VALUE } {
        // SAFETY: the caller's promises are those of `allocate`.
        return unsafe { task::allocate(f, id, class, origin) };
    }
    // A large closure is boxed, so that it can be dropped without a move: the fiber may have to do
    // that on the spare stack, where there is no room for one.
    let f = Box::new(f);
    // SAFETY: the caller's promises are those of `allocate`.
    unsafe { task::allocate(move || (*f)(), id, class, origin) }
}

impl Scheduler {
    #[inline(always)]
    pub(crate) fn admit_and_queue(&self, record: FiberRef) -> FiberPtr {
        let fiber = self.admit(record);
        self.ring(|ring| ring.push_back(fiber, fiber.ticket.get()));
        fiber
    }

    /// Returns the running fiber as the parent of a new one.
    fn parent(&self) -> Parent {
        Parent::new(current::fiber().map(|fiber| fiber.id()), self.id)
    }

    /// Creates a fiber that will run `f` when it is put into the ring.
    pub(crate) fn create_paused<F>(&self, f: F, at: &'static Location<'static>) -> FiberRef
    where
        F: FnOnce() + 'static,
    {
        // SAFETY: neither the closure nor its output, which is `()`, borrows.
        let record = unsafe { create(self, self.default_class, f, (at, self.parent())) };
        let fiber = self.admit(record);
        fiber.reason.set(&PAUSED);
        if self.closing.get() {
            self.unpause(fiber);
        }
        fiber.to_ref()
    }

    /// Drops a user's value on a fiber, where its destructor may run user code.
    pub(crate) fn drop_on_a_fiber<T: 'static>(&self, value: T) {
        let fiber = self.create_paused(move || drop(value), Location::caller());
        self.unpause(fiber.ptr());
    }
}
