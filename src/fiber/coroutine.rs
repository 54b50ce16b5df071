//! Call stacks that run on top of another: the coroutines under generators and greenlets.
//!
//! ```text
//!     fresh --start--> [Suspended] --resume--> [Running] --its root returns--> [Ended]
//!                        |      ^                 |
//!                        |      +-----suspend-----+
//!                        +--abandon--> [Abandoned]
//!
//!   while they run               while `g` is suspended
//!     [the frame's own stack]      [the frame's own stack] <- runs
//!        ^ below
//!     [g]                          [g] <----+
//!        ^ below                     ^ below| top: the stack on which `g` continues
//!     [h] <- frame.running         [h] <----+ (itself, unless it was suspended from a stack on it)
//! ```
//!
//! Invariants:
//! - A coroutine belongs to the [`Frame`] in which it was started, and is resumed and suspended
//!   only while that frame's code runs.
//! - The chain from `frame.running` along `below` to the frame's own stack is what the processor's
//!   stacks look like: each was entered from the one below.
//! - A coroutine is suspended only while it is on that chain.
//! - Cancel scopes belong to the coroutine on which they were made: the hinge joins them to those
//!   of the code that resumes the coroutine, as long as it runs.

#![allow(unsafe_code, reason = "switches stacks, and follows the chain of those that run")]

use std::cell::{Cell, OnceCell};
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
#[cfg(feature = "diagnostics")]
use std::ops::Range;
use std::ptr;
use std::rc::Rc;
use std::thread;

use crate::collections::slot_table::Key;
use crate::fiber::abandoned;
use crate::fiber::cancel_scope::CancelScope;
use crate::fiber::carried;
use crate::fiber::context::Context;
pub(crate) use crate::fiber::coroutine_status::State;
use crate::fiber::coroutine_status::Status;
use crate::fiber::current;
use crate::fiber::frame::Frame;
use crate::fiber::header::{FiberPtr, FiberRef};
use crate::fiber::state::Signals;
use crate::stack::{SizeClass, Stack};

/// One call stack on top of another.
pub(crate) struct Coroutine {
    context: Context,
    status: Cell<Status>,
    /// Whether the walk from a stack to those below it ends at this one: a greenlet does not run on
    /// behalf of the code that resumed it.
    is_root: bool,
    class: Cell<SizeClass>,
    /// The frame it was started in.
    frame: OnceCell<Rc<Frame>>,
    /// The fiber whose frame that is, which runs when this coroutine may be resumed or suspended.
    /// `None` for a thread's frame, which is current while no fiber runs. Counted, so that no other
    /// fiber gets its address as long as the coroutine exists.
    fiber: OnceCell<FiberRef>,
    /// The coroutine from whose stack it was resumed; null for the frame's own stack. Valid while
    /// it runs.
    below: Cell<*const Coroutine>,
    /// The coroutine on whose stack it was suspended: itself, except after a suspend from above.
    top: Cell<*const Coroutine>,
    /// Neither cancelled nor a shield: joins the scopes of this coroutine to those below.
    hinge: CancelScope,
    /// The innermost cancel scope on its stack, while it is suspended. Null if it has none.
    innermost: Cell<*const CancelScope>,
    /// Its place in the roster of coroutines that must be unwound.
    pub(crate) place: Cell<Key>,
}

impl Coroutine {
    pub(crate) fn new(class: SizeClass, is_root: bool) -> Coroutine {
        Coroutine {
            context: Context::empty(),
            status: Cell::new(Status::Fresh),
            is_root,
            class: Cell::new(class),
            frame: OnceCell::new(),
            fiber: OnceCell::new(),
            below: Cell::new(ptr::null()),
            top: Cell::new(ptr::null()),
            hinge: CancelScope::cancellable(),
            innermost: Cell::new(ptr::null()),
            place: Cell::new(Key::from_bits(0)),
        }
    }

    #[inline(always)]
    pub(crate) fn state(&self) -> State {
        self.status.get().state()
    }

    /// Returns the frame in which it was started.
    #[inline(always)]
    pub(crate) fn frame(&self) -> Option<&Frame> {
        self.frame.get().map(|frame| &**frame)
    }

    /// Returns whether it is suspended, and belongs to the code that runs now, which may resume it.
    ///
    /// The address of the fiber is enough to identify the frame: the coroutine keeps the fiber's
    /// record, so that no other fiber gets that address, and by the end of the fiber's frame every
    /// coroutine of it has ended or is abandoned. The same holds for the frames of a thread, of
    /// which there is one at a time.
    #[inline(always)]
    pub(crate) fn is_ready(&self) -> bool {
        self.state() == State::Suspended && self.is_of_running_fiber()
    }

    /// Returns whether it belongs to the code that runs now.
    pub(crate) fn is_here(&self) -> bool {
        self.frame().is_some_and(Frame::is_current)
    }

    /// Returns the fiber in whose frame it was started.
    #[inline(always)]
    fn fiber(&self) -> Option<FiberPtr> {
        self.fiber.get().map(FiberRef::ptr)
    }

    /// Returns whether the running fiber, or none, is the one in whose frame it was started. This
    /// is one comparison of addresses; `==` on the options would make three.
    #[inline(always)]
    fn is_of_running_fiber(&self) -> bool {
        let address = |fiber: Option<FiberPtr>| fiber.map_or(ptr::null_mut(), FiberPtr::as_ptr);
        ptr::eq(address(self.fiber()), address(current::fiber()))
    }

    /// Returns whether the caller runs on its stack, and not on a stack on top of it.
    #[inline(always)]
    pub(crate) fn is_innermost(&self) -> bool {
        let Some(frame) = self.frame() else { return false };
        ptr::eq(frame.running.get(), self) && self.is_of_running_fiber()
    }

    /// Returns whether the caller runs on its stack, or on a stack on top of it.
    #[cold]
    #[inline(never)]
    pub(crate) fn carries_caller(&self) -> bool {
        self.frame().is_some_and(|frame| frame.is_current() && self.carries(frame))
    }

    /// Returns whether it was probably suspended in a destructor that runs because of a panic, out
    /// of which nothing can be raised. std reports only whether *some* stack of the thread unwinds.
    pub(crate) fn may_be_unwinding(&self) -> bool {
        self.status.get() == Status::SuspendedMidUnwind && thread::panicking()
    }

    /// Returns whether it was last suspended while the thread unwound, because of any stack, and
    /// the thread still does. It must be suspended, or have just been resumed.
    #[cfg(feature = "greenlet")]
    pub(crate) fn was_left_in_unwind(&self) -> bool {
        thread::panicking() && self.status.get().was_left_in_unwind()
    }

    /// Returns whether `address` lies in the guard of its stack. A signal handler may call this.
    pub(crate) fn guard_contains(&self, address: usize) -> bool {
        self.context.guard_contains(address, self.class.get())
    }

    pub(crate) fn class(&self) -> SizeClass {
        self.class.get()
    }

    /// Sets the size of the stack that a fresh coroutine will take.
    #[cfg(feature = "greenlet")]
    pub(crate) fn set_class(&self, class: SizeClass) {
        debug_assert_eq!(self.state(), State::Fresh);
        self.class.set(class);
    }

    /// Calls `f` with the addresses of the stack of each coroutine that runs in `frame`, the
    /// innermost first.
    #[cfg(feature = "diagnostics")]
    pub(crate) fn running_stacks(frame: &Frame, mut f: impl FnMut(Range<usize>)) {
        let mut at = frame.running.get();
        // SAFETY: coroutines on the running chain are alive: the caller of `resume` keeps each
        // alive during the call.
        while let Some(coroutine) = unsafe { at.as_ref() } {
            coroutine.context.stack_range().into_iter().for_each(&mut f);
            at = coroutine.below.get();
        }
    }

    fn carries(&self, frame: &Frame) -> bool {
        let mut at = frame.running.get();
        // SAFETY: coroutines on the running chain are alive: the caller of `resume` keeps each
        // alive during the call.
        while let Some(coroutine) = unsafe { at.as_ref() } {
            if ptr::eq(coroutine, self) {
                return true;
            }
            at = if coroutine.is_root { ptr::null() } else { coroutine.below.get() };
        }
        false
    }

    /// Gives a fresh coroutine a stack, on which `entry` will run at the first resume.
    ///
    /// # Errors
    ///
    /// Returns the error of the pool if no stack can be had, which names the limit that was
    /// reached. The coroutine stays fresh.
    ///
    /// # Safety
    ///
    /// - It must be fresh, and `frame` must be the current one.
    /// - `entry` must not unwind.
    /// - The coroutine must neither move nor be freed before it has ended. If it is abandoned, it
    ///   must never move or be freed.
    pub(crate) unsafe fn start(
        &self,
        frame: Rc<Frame>,
        entry: impl FnOnce() + 'static,
    ) -> io::Result<()> {
        let stack = current::with_pool(|pool| pool.take(self.class.get()))?;
        debug_assert_eq!(self.state(), State::Fresh);
        if let Some(fiber) = frame.fiber.get() {
            let _ = self.fiber.set(fiber.to_ref());
        }
        let _ = self.frame.set(frame);
        self.top.set(self);
        self.status.set(Status::Suspended);
        let context = &raw const self.context;
        let begin = move |base| {
            // SAFETY: the coroutine has not moved, and is alive (the caller's promise).
            unsafe { (*context).begin(base) };
            entry();
        };
        // SAFETY: a fresh coroutine's context is empty; the rest is the caller's promise.
        unsafe { self.context.create(stack, begin) };
        Ok(())
    }

    /// Runs it on top of the caller's stack, until it suspends or ends. Returns whether it ended.
    ///
    /// # Safety
    ///
    /// It must be [ready](Coroutine::is_ready), and stay alive during the call.
    #[inline(always)]
    pub(crate) unsafe fn resume(&self) -> bool {
        // SAFETY: it is suspended (the caller's promise), so it was started, which sets the frame.
        let frame: &Frame = unsafe { self.frame.get().unwrap_unchecked() };
        let below = frame.running.get();
        self.below.set(below);
        if below.is_null() {
            let mark = MaybeUninit::<u8>::uninit();
            frame.own_mark.set(mark.as_ptr().addr());
        }
        let status = if thread::panicking() {
            self.status.get().entered_in_unwind()
        } else {
            Status::Running
        };
        self.status.set(status);
        frame.running.set(self.top.get());
        let fiber = self.fiber();
        let outer = fiber.map_or(ptr::null(), |fiber| self.join_scopes(fiber));
        // SAFETY: it is suspended, so its context was created and is not entered.
        let ended = unsafe { self.context.enter() };
        frame.running.set(below);
        if let Some(fiber) = fiber {
            fiber.cancel_scopes.set(outer);
        }
        match ended {
            None => false,
            Some(stack) => {
                self.end(stack);
                true
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn end(&self, stack: Stack) {
        self.status.set(Status::Ended);
        current::with_pool(|pool| pool.give(stack));
    }

    /// Leaves its stack for the code that has resumed it. Returns when it is resumed again.
    ///
    /// # Safety
    ///
    /// The caller must run on its stack: it is the [innermost](Coroutine::is_innermost).
    #[inline(always)]
    pub(crate) unsafe fn suspend(&self) {
        if let Some(fiber) = self.fiber() {
            if !ptr::eq(fiber.cancel_scopes.get(), &raw const self.hinge) {
                if fiber.signals.get().has(Signals::CARRIES) {
                    // SAFETY: the caller's promise.
                    return unsafe { self.suspend_with_contexts(fiber) };
                }
                self.innermost.set(fiber.cancel_scopes.get());
            }
        }
        // SAFETY: the caller's promise.
        unsafe { self.leave() }
    }

    /// # Safety
    ///
    /// The same as for `suspend`.
    #[inline(always)]
    unsafe fn leave(&self) {
        let status = if thread::panicking() {
            self.status.get().left_in_unwind()
        } else {
            Status::Suspended
        };
        self.status.set(status);
        // SAFETY: the caller's promise.
        unsafe { self.context.leave() }
    }

    /// Suspends it like [`suspend`](Coroutine::suspend), with scopes on its stack of which some may
    /// carry a context: takes those contexts off the thread, and puts them back afterwards.
    ///
    /// # Safety
    ///
    /// The same as for `suspend`.
    #[cold]
    #[inline(never)]
    unsafe fn suspend_with_contexts(&self, fiber: FiberPtr) {
        let (innermost, hinge) = (fiber.cancel_scopes.get(), &raw const self.hinge);
        let carries = carried::has_region(innermost, hinge);
        if carries {
            carried::leave_those(fiber, innermost, hinge);
        }
        self.innermost.set(innermost);
        carried::note(fiber, self.hinge.outer.get());
        // SAFETY: the caller's promise. The contexts cannot have left this stack: see `carried`.
        unsafe { self.leave() };
        carried::note(fiber, innermost);
        if carries {
            carried::enter_those(fiber, innermost, hinge);
        }
    }

    /// Returns whether the thread unwinds because of this coroutine, which runs.
    pub(crate) fn has_begun_to_unwind(&self) -> bool {
        thread::panicking() && !self.status.get().unwound_before()
    }

    /// Suspends it like [`suspend`](Coroutine::suspend), from a stack on top of its own. All stacks
    /// from there to its own are left, and go on together.
    ///
    /// # Safety
    ///
    /// The caller must run [on top of its stack](Coroutine::carries_caller).
    #[cold]
    #[inline(never)]
    pub(crate) unsafe fn suspend_from_above(&self) {
        self.top.set(self.frame().map_or(ptr::null(), |frame| frame.running.get()));
        // SAFETY: the caller's promise. `suspend` needs its stack to run, and the caller may be on
        // any of the stacks on top of it.
        unsafe { self.suspend() };
        self.top.set(self);
    }

    /// Abandons it, and leaves its stack for the last time.
    ///
    /// # Safety
    ///
    /// The caller must run on its stack, or on a stack on top of it.
    #[cold]
    pub(crate) unsafe fn leave_forever(&self) -> ! {
        if let Some(fiber) = self.fiber() {
            let (innermost, hinge) = (fiber.cancel_scopes.get(), &raw const self.hinge);
            if carried::has_region(innermost, hinge) {
                carried::leave_those(fiber, innermost, hinge);
                carried::note(fiber, self.hinge.outer.get());
            }
        }
        self.top.set(self.frame().map_or(ptr::null(), |frame| frame.running.get()));
        self.abandon();
        // SAFETY: the caller's promise.
        unsafe { self.context.leave() };
        // Only suspended coroutines are resumed, and this one is abandoned. If it were resumed, it
        // would return into frames that other code assumes to be dead.
        std::process::abort()
    }

    /// Ends a fresh coroutine, which has not run.
    pub(crate) fn end_fresh(&self) {
        debug_assert_eq!(self.state(), State::Fresh);
        self.status.set(Status::Ended);
    }

    /// Abandons it and the coroutines on top of it: they never run again, and their stacks are kept
    /// forever. It must be suspended, or about to leave its stack for the last time.
    pub(crate) fn abandon(&self) {
        let mut at = self.top.get();
        // SAFETY: the coroutines on top of a coroutine are alive: the caller of `resume` keeps each
        // alive, and has not returned.
        while let Some(coroutine) = unsafe { at.as_ref() } {
            coroutine.status.set(Status::Abandoned);
            if let Some(frame) = coroutine.frame() {
                std::mem::forget(frame.roster.remove(coroutine.place.get()));
            }
            at = if ptr::eq(coroutine, self) { ptr::null() } else { coroutine.below.get() };
        }
        abandoned::keep_what_it_lent(self.fiber());
    }

    /// Puts the scopes of this coroutine inside those of the code that resumes it. Returns the
    /// innermost one of the latter.
    #[inline(always)]
    fn join_scopes(&self, fiber: FiberPtr) -> *const CancelScope {
        let outer = fiber.cancel_scopes.get();
        self.hinge.hang_on(outer);
        fiber.cancel_scopes.set(&raw const self.hinge);
        if !self.innermost.get().is_null() {
            self.take_own_scopes(fiber);
        }
        outer
    }

    #[cold]
    #[inline(never)]
    fn take_own_scopes(&self, fiber: FiberPtr) {
        fiber.cancel_scopes.set(self.innermost.replace(ptr::null()));
        // One of them may have been cancelled while it was not in the fiber's list.
        fiber.signal(Signals::CANCEL);
    }
}

impl Drop for Coroutine {
    fn drop(&mut self) {
        // The owner of a coroutine that was started keeps it until it has ended, or forever.
        debug_assert!(matches!(self.state(), State::Fresh | State::Ended), "{self:?}");
    }
}

impl fmt::Debug for Coroutine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coroutine").field("state", &self.state()).finish_non_exhaustive()
    }
}
