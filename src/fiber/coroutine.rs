//! A call stack that runs on top of another: what generators and greenlets are made of.
//!
//! ```text
//!     fresh --start--> [Suspended] --resume--> [Running] --its root returns--> [Ended]
//!                        |      ^                 |
//!                        |      +-----suspend-----+
//!                        +--give up--> [Retired]
//!
//!   while they run               while `g` is suspended
//!     [the frame's own stack]      [the frame's own stack] <- runs
//!        ^ below
//!     [g]                          [g] <----+
//!        ^ below                     ^ below| top: where `g` goes on when it is resumed
//!     [h] <- frame.running         [h] <----+ (itself, unless it was suspended from a stack on it)
//! ```
//!
//! Invariants:
//! - A coroutine belongs to the [`Frame`] in which it was started, and is resumed and suspended only
//!   while that frame's code runs.
//! - The chain from `frame.running` along `below` to the frame's own stack is what the processor's
//!   stacks look like: each was entered from the one below.
//! - A coroutine is suspended only while it is on that chain.
//! - Cancel scopes hang on the coroutine on which they were made: the hinge joins them to those of
//!   whoever resumes the coroutine, for as long as it runs.

#![allow(unsafe_code, reason = "switches stacks, and follows the chain of those that run")]

use std::cell::{Cell, OnceCell};
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::rc::Rc;
use std::thread;

use crate::collections::slot_table::Key;
use crate::fiber::abandoned;
use crate::fiber::cancel_scope::CancelScope;
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
    /// Whether the walk from a stack to those below it ends here: a greenlet does not run on behalf
    /// of the one that resumed it.
    is_root: bool,
    class: Cell<SizeClass>,
    /// The frame it was started in.
    frame: OnceCell<Rc<Frame>>,
    /// The fiber whose frame that is: what runs when this coroutine may be resumed or suspended. None
    /// for a thread's frame, which is current while no fiber runs. Counted, so that its address is no
    /// other fiber's as long as the coroutine exists.
    fiber: OnceCell<FiberRef>,
    /// The coroutine from whose stack it was resumed; null for the frame's own. While it runs.
    below: Cell<*const Coroutine>,
    /// The coroutine on whose stack it was suspended: itself, but for a suspend from above.
    top: Cell<*const Coroutine>,
    /// Neither cancelled nor a shield: joins the scopes of this coroutine to those below.
    hinge: CancelScope,
    /// The innermost cancel scope on its stack, while it is suspended. Null if it has none.
    innermost: Cell<*const CancelScope>,
    /// Its place in the roster of those that must be unwound.
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

    /// The frame it was started in.
    #[inline(always)]
    pub(crate) fn frame(&self) -> Option<&Frame> {
        self.frame.get().map(|frame| &**frame)
    }

    /// Whether it is suspended, and belongs to the code that runs now, which may resume it.
    ///
    /// The fiber is enough to tell, and its address to tell the fiber: the coroutine keeps its record, so
    /// that no other fiber gets that address. By the end of the fiber's frame every coroutine of it has
    /// ended or is retired. So it is with a thread's frame, of which there is one at a time.
    #[inline(always)]
    pub(crate) fn is_ready(&self) -> bool {
        self.state() == State::Suspended && self.is_of_running_fiber()
    }

    /// Whether it belongs to the code that runs now.
    pub(crate) fn is_here(&self) -> bool {
        self.frame().is_some_and(Frame::is_current)
    }

    /// The fiber in whose frame it was started.
    #[inline(always)]
    fn fiber(&self) -> Option<FiberPtr> {
        self.fiber.get().map(FiberRef::ptr)
    }

    /// One comparison of addresses, where `==` on the options would make three.
    #[inline(always)]
    fn is_of_running_fiber(&self) -> bool {
        let address = |fiber: Option<FiberPtr>| fiber.map_or(ptr::null_mut(), FiberPtr::as_ptr);
        ptr::eq(address(self.fiber()), address(current::fiber()))
    }

    /// Whether the caller runs on its stack, and not on one on top of it.
    #[inline(always)]
    pub(crate) fn is_innermost(&self) -> bool {
        let Some(frame) = self.frame() else { return false };
        ptr::eq(frame.running.get(), self) && self.is_of_running_fiber()
    }

    /// Whether the caller runs on a stack on top of it.
    #[cold]
    #[inline(never)]
    pub(crate) fn carries_caller(&self) -> bool {
        self.frame().is_some_and(|frame| frame.is_current() && self.carries(frame))
    }

    /// Whether it was probably suspended in a destructor that runs because of a panic, out of which
    /// nothing can be raised. std tells only whether *some* stack of the thread unwinds.
    pub(crate) fn may_be_unwinding(&self) -> bool {
        self.status.get() == Status::SuspendedMidUnwind && thread::panicking()
    }

    /// Whether it was last suspended while the thread unwound, because of whichever stack, and the
    /// thread still does. It is suspended now, or has just been resumed.
    #[cfg(feature = "greenlet")]
    pub(crate) fn was_left_in_unwind(&self) -> bool {
        thread::panicking() && self.status.get().was_left_in_unwind()
    }

    /// Whether `address` lies in the guard of its stack. Fit for a signal handler.
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

    fn carries(&self, frame: &Frame) -> bool {
        let mut at = frame.running.get();
        // SAFETY: coroutines on the running chain are alive: whoever has resumed one holds it.
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
    /// Which limit was met; the coroutine stays fresh.
    ///
    /// # Safety
    ///
    /// - It must be fresh, and `frame` the current one.
    /// - `entry` must not unwind.
    /// - The coroutine must neither move nor die before it has ended; if it is retired, never.
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
        // SAFETY: a fresh coroutine's context is empty; the rest is the caller's promise.
        unsafe { self.context.create(stack, entry) };
        Ok(())
    }

    /// Runs it on top of the caller's stack, until it suspends or ends. Returns whether it ended.
    ///
    /// # Safety
    ///
    /// It must be [ready](Coroutine::is_ready), and stay alive for the time of the call.
    #[inline(always)]
    pub(crate) unsafe fn resume(&self) -> bool {
        // SAFETY: it was started, as it is suspended (the caller's promise).
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

    /// Leaves its stack for whoever has resumed it. Returns when it is resumed again.
    ///
    /// # Safety
    ///
    /// The caller must run on its stack: it is the [innermost](Coroutine::is_innermost).
    #[inline(always)]
    pub(crate) unsafe fn suspend(&self) {
        if let Some(fiber) = self.fiber()
            && !ptr::eq(fiber.cancel_scopes.get(), &raw const self.hinge)
        {
            self.innermost.set(fiber.cancel_scopes.get());
        }
        let status = if thread::panicking() {
            self.status.get().left_in_unwind()
        } else {
            Status::Suspended
        };
        self.status.set(status);
        // SAFETY: the caller's promise.
        unsafe { self.context.leave() }
    }

    /// Whether the thread unwinds because of this coroutine, which runs.
    pub(crate) fn has_begun_to_unwind(&self) -> bool {
        thread::panicking() && !self.status.get().unwound_before()
    }

    /// As `suspend`, from a stack on top of this one: all of them are left, and go on together.
    ///
    /// # Safety
    ///
    /// The caller must run [on top of its stack](Coroutine::carries_caller).
    #[cold]
    #[inline(never)]
    pub(crate) unsafe fn suspend_from_above(&self) {
        self.top.set(self.frame().map_or(ptr::null(), |frame| frame.running.get()));
        // SAFETY: the caller's promise; what `suspend` asks for is that its stack runs, whichever
        // of those on top of it the caller is on.
        unsafe { self.suspend() };
        self.top.set(self);
    }

    /// Leaves its stack for the last time: it is retired.
    ///
    /// # Safety
    ///
    /// As [`suspend`](Coroutine::suspend), or on top of it.
    #[cold]
    pub(crate) unsafe fn leave_for_ever(&self) -> ! {
        self.top.set(self.frame().map_or(ptr::null(), |frame| frame.running.get()));
        self.abandon();
        // SAFETY: the caller's promise.
        unsafe { self.context.leave() };
        // Only suspended coroutines are resumed. Were this one, it would return into frames that
        // others take for dead.
        std::process::abort()
    }

    /// A fresh coroutine ends without having run.
    pub(crate) fn end_fresh(&self) {
        debug_assert_eq!(self.state(), State::Fresh);
        self.status.set(Status::Ended);
    }

    /// It never runs again, nor do those on top of it, and their stacks are kept for ever. It must
    /// be suspended, or about to leave for ever.
    pub(crate) fn abandon(&self) {
        let mut at = self.top.get();
        // SAFETY: those on top of a coroutine are alive: whoever has resumed one holds it.
        while let Some(coroutine) = unsafe { at.as_ref() } {
            coroutine.status.set(Status::Abandoned);
            if let Some(frame) = coroutine.frame() {
                std::mem::forget(frame.roster.remove(coroutine.place.get()));
            }
            at = if ptr::eq(coroutine, self) { ptr::null() } else { coroutine.below.get() };
        }
        abandoned::keep_what_it_lent(self.fiber());
    }

    /// Puts the scopes of this coroutine inside those of whoever resumes it. Returns the latter.
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
        // One of them may have been cancelled while it was out of the fiber's sight.
        fiber.signal(Signals::CANCEL);
    }
}

impl Drop for Coroutine {
    fn drop(&mut self) {
        // Whoever owns a coroutine that was started keeps it until it has ended, or for ever.
        debug_assert!(matches!(self.state(), State::Fresh | State::Ended), "{self:?}");
    }
}

impl fmt::Debug for Coroutine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coroutine").field("state", &self.state()).finish_non_exhaustive()
    }
}
