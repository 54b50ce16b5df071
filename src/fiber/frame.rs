//! The owners of coroutines: a fiber's own stack, or a thread's inside `fibra::frame`.
//!
//! Invariants:
//! - No suspended stack outlives its frame: [`Frame::unwind_all`] is called when all other user
//!   code of the frame is over, before its fiber-locals are dropped, and then [`Frame::close`].
//! - The frame of a fiber is current while that fiber runs, and the frame of a thread while no
//!   fiber runs. A closed frame is never current again, and its fiber gets no other.

#![allow(unsafe_code, reason = "counts a reference through the pointer that the thread keeps")]

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::ptr;
use std::rc::Rc;
use std::thread;

use crate::fiber::coroutine::Coroutine;
use crate::fiber::current::{self, ThreadState};
use crate::fiber::header::FiberPtr;
use crate::fiber::report;
use crate::fiber::roster::{Roster, unwind_if_suspended};

/// The stack on top of which generators and greenlets run, and the list of those that it must
/// unwind.
pub(crate) struct Frame {
    /// The fiber whose frame it is; `None` for a thread's, and after it was closed.
    pub(crate) fiber: Cell<Option<FiberPtr>>,
    /// The innermost coroutine that runs; null while the frame's own stack does.
    pub(crate) running: Cell<*const Coroutine>,
    /// An address on the frame's own stack, near where it resumed a coroutine.
    pub(crate) own_mark: Cell<usize>,
    closed: Cell<bool>,
    /// Whether code runs that can neither start nor leave a coroutine of the frame: that of a
    /// context which is taken off the thread or put back (see
    /// [`carried`](crate::fiber::carried)), or that of a task between two turns of a scheduler
    /// which runs on a coroutine.
    at_door: Cell<bool>,
    /// Whether a coroutine has lost its last handle where it could not be unwound, since the last
    /// [`reap`](Frame::reap).
    orphans: Cell<bool>,
    pub(crate) roster: Roster,
    /// The record that a layer above keeps for each frame.
    extension: RefCell<Option<Rc<dyn Any>>>,
    /// The values of layers above that must end before the frame of a thread does.
    #[cfg(feature = "tokio")]
    residents: RefCell<Vec<Rc<dyn Resident>>>,
    /// A value that a resident which has ended has left to the next one.
    #[cfg(feature = "tokio")]
    legacy: RefCell<Option<Rc<dyn Any>>>,
}

/// A value that lives in the frame of a thread, and ends before it.
#[cfg(feature = "tokio")]
pub(crate) trait Resident {
    /// Ends it, on the frame's own stack, when the code of the frame is over. Does not unwind.
    fn end(&self);
}

/// The greatest number of rounds in which a thread's frame unwinds its coroutines and drops its
/// extension.
const MOST_ROUNDS: usize = 100;

impl Frame {
    fn new(fiber: Option<FiberPtr>) -> Rc<Frame> {
        Rc::new(Frame {
            fiber: Cell::new(fiber),
            running: Cell::new(ptr::null()),
            own_mark: Cell::new(0),
            closed: Cell::new(false),
            at_door: Cell::new(false),
            orphans: Cell::new(false),
            roster: Roster::new(),
            extension: RefCell::new(None),
            #[cfg(feature = "tokio")]
            residents: RefCell::default(),
            #[cfg(feature = "tokio")]
            legacy: RefCell::default(),
        })
    }

    /// Returns the frame of the code that runs now; `None` outside of `run` and `frame`, after the
    /// frame was closed, and [at a door](Frame::at_door).
    pub(crate) fn current() -> Option<Rc<Frame>> {
        let frame = match current::fiber() {
            Some(fiber) => fiber.with_extra(|extra| {
                extra.frame.get_or_insert_with(|| Frame::new(Some(fiber))).clone()
            }),
            None => of_thread()?,
        };
        (!frame.closed.get() && !frame.at_door.get()).then_some(frame)
    }

    /// Returns whether the code that runs now is this frame's.
    #[inline(always)]
    pub(crate) fn is_current(&self) -> bool {
        ThreadState::with(|thread| match thread.fiber.get() {
            Some(fiber) => self.fiber.get() == Some(fiber) && !self.at_door.get(),
            None => ptr::eq(thread.frame.get(), self) && !self.at_door.get(),
        })
    }

    /// Returns whether a coroutine runs in it, and not its own stack.
    pub(crate) fn runs_coroutine(&self) -> bool {
        !self.running.get().is_null()
    }

    /// Creates a frame of this thread, which lasts until the result is dropped. It must be dropped
    /// on the stack on which it was created.
    pub(crate) fn enter_on_thread() -> OnThread {
        let frame = Frame::new(None);
        let before = ThreadState::with(|thread| thread.frame.replace(Rc::as_ptr(&frame)));
        OnThread { frame, before }
    }

    /// Makes it neither current nor on any coroutine, while code of a context runs, until the
    /// result is dropped.
    pub(crate) fn go_to_door(self: Rc<Self>) -> AtDoor {
        AtDoor {
            running: self.running.replace(ptr::null()),
            own_mark: self.own_mark.get(),
            was_at_door: self.at_door.replace(true),
            frame: self,
        }
    }

    /// Unwinds every suspended coroutine, the youngest first, in the frame's own code.
    pub(crate) fn unwind_all(&self) {
        self.roster.unwind_all();
    }

    /// Drops the record that a layer above keeps for it: user code.
    pub(crate) fn drop_extension(&self) {
        let extension = self.extension.take();
        drop(extension);
    }

    /// Returns whether there is nothing left to unwind or to drop.
    pub(crate) fn is_empty(&self) -> bool {
        self.roster.is_empty() && self.extension.borrow().is_none() && !self.has_residents()
    }

    /// Abandons the coroutines that are left, and leaks the extension.
    pub(crate) fn abandon(&self) {
        self.roster.abandon();
        std::mem::forget(self.extension.take());
    }

    /// Closes the frame: nothing can be resumed in it any more. Coroutines that are left in it are
    /// abandoned.
    pub(crate) fn close(&self) {
        debug_assert!(self.running.get().is_null(), "a frame ends on its own stack");
        self.abandon();
        self.closed.set(true);
        self.fiber.set(None);
    }

    /// Records that a coroutine of this frame has lost its last handle where it could not be
    /// unwound.
    pub(crate) fn note_orphan(&self) {
        self.orphans.set(true);
    }

    /// Unwinds the coroutines that lost their last handle in other code than the frame's, or in a
    /// destructor of their own. Does nothing while the thread unwinds.
    #[inline(always)]
    pub(crate) fn reap(&self) {
        if self.orphans.get() && !thread::panicking() {
            self.reap_orphans();
        }
    }

    #[cold]
    #[inline(never)]
    fn reap_orphans(&self) {
        self.orphans.set(false);
        for nested in self.roster.suspended(|nested| nested.is_orphan()) {
            unwind_if_suspended(nested);
        }
    }

    /// Returns the frame of the thread, if its own stack runs, and no stack on top of it.
    #[cfg(feature = "tokio")]
    pub(crate) fn of_bare_thread() -> Option<Rc<Frame>> {
        let frame = Frame::current()?;
        (current::fiber().is_none() && !frame.runs_coroutine()).then_some(frame)
    }

    /// Keeps `resident` until the end of the frame of a thread, which ends it.
    #[cfg(feature = "tokio")]
    pub(crate) fn admit(&self, resident: Rc<dyn Resident>) {
        self.residents.borrow_mut().push(resident);
    }

    /// Keeps `legacy` for the next resident, or drops what was kept. The destructor of such a value
    /// is no user code.
    #[cfg(feature = "tokio")]
    pub(crate) fn set_legacy(&self, legacy: Option<Rc<dyn Any>>) {
        *self.legacy.borrow_mut() = legacy;
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn legacy(&self) -> Option<Rc<dyn Any>> {
        self.legacy.borrow().clone()
    }

    /// Ends the residents, the youngest first, and moves them to `ended`: they are dropped when no
    /// code that they can run is left.
    #[cfg(feature = "tokio")]
    fn end_residents(&self, ended: &mut Vec<Rc<dyn Resident>>) {
        let residents = self.residents.take();
        residents.iter().rev().for_each(|resident| resident.end());
        ended.extend(residents);
    }

    /// Returns whether a resident has not been ended by the frame.
    #[cfg(feature = "tokio")]
    fn has_residents(&self) -> bool {
        !self.residents.borrow().is_empty()
    }

    #[cfg(not(feature = "tokio"))]
    #[allow(clippy::unused_self, reason = "without tokio nothing lives in a frame")]
    fn has_residents(&self) -> bool {
        false
    }

    /// Returns the record that a layer above keeps for this frame.
    #[cfg(feature = "greenlet")]
    pub(crate) fn extension(&self) -> Option<Rc<dyn Any>> {
        self.extension.borrow().clone()
    }

    #[cfg(feature = "greenlet")]
    pub(crate) fn set_extension(&self, extension: Rc<dyn Any>) {
        let before = self.extension.replace(Some(extension));
        drop(before);
    }
}

/// Closes the frame of `fiber`, which is about to end, and creates it first if there is none: code
/// that runs on the fiber afterwards finds a closed frame, and cannot create another.
pub(crate) fn close_for_good(fiber: FiberPtr) {
    let frame = fiber
        .with_extra(|extra| extra.frame.get_or_insert_with(|| Frame::new(Some(fiber))).clone());
    frame.close();
}

/// Returns the frame of `fiber`, if it ever had one.
pub(crate) fn of_fiber(fiber: FiberPtr) -> Option<Rc<Frame>> {
    fiber.peek_extra(|extra| extra.frame.clone()).flatten()
}

/// Returns whether the thread unwinds because of the innermost coroutine that runs in the frame of
/// `fiber`, which is the running fiber. Returns `None` if no coroutine runs in it.
pub(crate) fn innermost_has_begun_to_unwind(fiber: FiberPtr) -> Option<bool> {
    let frame = of_fiber(fiber)?;
    // SAFETY: a coroutine that runs is alive: the caller of `resume` keeps it alive.
    unsafe { frame.running.get().as_ref() }.map(Coroutine::has_begun_to_unwind)
}

/// Returns the size of the stack of the coroutine that runs in the frame of `fiber`, or of the
/// thread if no fiber runs, provided that `fault` lies in the guard of that stack. A signal handler
/// may call this.
pub(crate) fn overflowed(fiber: Option<FiberPtr>, fault: usize) -> Option<usize> {
    let frame: *const Frame = match fiber {
        Some(fiber) => fiber.peek_extra(|extra| extra.frame.as_ref().map(Rc::as_ptr))??,
        None => ThreadState::with(|thread| thread.frame.get()),
    };
    // SAFETY: the fiber's record, or `OnThread`, holds the frame.
    let running = unsafe { frame.as_ref()? }.running.get();
    // SAFETY: a coroutine that runs is alive: the caller of `resume` keeps it alive.
    let coroutine = unsafe { running.as_ref()? };
    coroutine.guard_contains(fault).then(|| coroutine.class().bytes())
}

/// Returns the frame of this thread, if a coroutine runs in it, at a [door](Frame::at_door) until
/// the result is dropped: the caller runs code that must not leave that coroutine.
#[cfg(feature = "tokio")]
pub(crate) fn keep_on_coroutine() -> Option<AtDoor> {
    of_thread().filter(|frame| frame.runs_coroutine()).map(Frame::go_to_door)
}

/// Returns the frame of this thread's own stack.
fn of_thread() -> Option<Rc<Frame>> {
    let frame = ThreadState::with(|thread| thread.frame.get());
    if frame.is_null() {
        return None;
    }
    // SAFETY: the pointer came from an `Rc` that `OnThread` holds as long as the pointer is in the
    // thread's record. The increment counts the reference that `from_raw` creates.
    unsafe {
        Rc::increment_strong_count(frame);
        Some(Rc::from_raw(frame))
    }
}

/// Returns whether a coroutine runs in the frame of this thread's own stack.
pub(crate) fn thread_runs_coroutine() -> bool {
    let frame = ThreadState::with(|thread| thread.frame.get());
    // SAFETY: `OnThread` holds the frame as long as it is in the thread's record.
    unsafe { frame.as_ref() }.is_some_and(Frame::runs_coroutine)
}

/// The state of a frame to which it returns when such code has run.
pub(crate) struct AtDoor {
    frame: Rc<Frame>,
    running: *const Coroutine,
    own_mark: usize,
    was_at_door: bool,
}

impl Drop for AtDoor {
    fn drop(&mut self) {
        self.frame.running.set(self.running);
        self.frame.own_mark.set(self.own_mark);
        self.frame.at_door.set(self.was_at_door);
    }
}

/// A thread's frame, which lasts as long as this value.
pub(crate) struct OnThread {
    frame: Rc<Frame>,
    before: *const Frame,
}

impl fmt::Debug for OnThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnThread").field(&self.frame).finish()
    }
}

impl Drop for OnThread {
    fn drop(&mut self) {
        #[cfg(feature = "tokio")]
        let mut residents = Vec::new();
        for _ in 0..MOST_ROUNDS {
            // The destructors of the last round may have started one.
            #[cfg(feature = "tokio")]
            self.frame.end_residents(&mut residents);
            self.frame.unwind_all();
            let dropped = AssertUnwindSafe(|| self.frame.drop_extension());
            if let Err(payload) = panic::catch_unwind(dropped) {
                report::report_lost("a destructor at the end of a frame panicked", payload);
            }
            if self.frame.is_empty() {
                break;
            }
        }
        #[cfg(feature = "tokio")]
        self.frame.end_residents(&mut residents);
        self.frame.close();
        #[cfg(feature = "tokio")]
        if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| drop(residents))) {
            report::report_lost("a destructor at the end of a frame panicked", payload);
        }
        #[cfg(feature = "tokio")]
        self.frame.set_legacy(None);
        ThreadState::with(|thread| thread.frame.set(self.before));
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame").field("fiber", &self.fiber.get()).finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "greenlet"))]
mod tests;
