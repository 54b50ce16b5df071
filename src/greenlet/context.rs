//! The context of the greenlets of one frame: the current greenlet, the main greenlet, and the work
//! that is put off.
//!
//! ```text
//!    frame ----extension----> Context                     one per fiber, or per thread's frame
//!                               current ---> the current greenlet; null: main is current
//!                               main_waits -> main, as the family that it waits for knows it
//!                               mains ------> main, once for each type that is exchanged
//! ```
//!
//! Invariants:
//! - Unless the context is closing, `current` is the greenlet whose code runs when the frame's code
//!   runs; or, between a switch and its arrival, the greenlet to which it leads. It is alive: it is
//!   listed in the roster of the frame.
//! - While `current` is null, only the frame's own stack runs in this context, and main does not
//!   wait. While it is not null, main waits, for values of one family or for any message.
//! - `flags` is zero if a switch has no work to do but the switch.
//! - The context is closed before its frame ends, unless the frame abandoned it. No user code runs
//!   while one of its lists is borrowed.

#![allow(unsafe_code, reason = "follows the pointer to the current greenlet, and leaves stacks")]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::ptr;
use std::rc::Rc;

use crate::fiber::frame::Frame;
use crate::fiber::roster::Nested;
use crate::greenlet::core::{Core, Erased, Signal};
use crate::greenlet::error::{Elsewhere, Refusal};
use crate::greenlet::header::{Family, Header};
use crate::greenlet::kill::run_quietly;
use crate::greenlet::locals::GreenletLocals;
use crate::greenlet::trace::{Event, GreenletId, LazyId, Tracer};

/// The state that the greenlets of one frame share.
pub(super) struct Context {
    pub(super) current: Cell<*const Header>,
    pub(super) flags: Cell<Flags>,
    /// The main greenlet of the family for whose values main waits; null if it does not wait so.
    pub(super) main_waits: Cell<*const Header>,
    /// Whether main waits for the end of a greenlet that it kills, and accepts any message.
    pub(super) main_kills: Cell<bool>,
    pub(super) frame: Rc<Frame>,
    is_closed: Cell<bool>,
    /// The number of switches that were refused because the context is closing.
    refusals: Cell<u32>,
    mains: RefCell<Vec<Rc<dyn Erased>>>,
    /// The greenlets that have lost their last handle where they could not be killed.
    pub(super) orphans: RefCell<VecDeque<Rc<dyn Erased>>>,
    /// The records of greenlets that have ended and have no handle: their destructors are user
    /// code.
    pub(super) litter: RefCell<Vec<Rc<dyn Nested>>>,
    /// The number of stacks that run destructors which do not belong to their code.
    pub(super) sweeps: Cell<u32>,
    pub(super) tracer: RefCell<Option<Rc<Tracer>>>,
    /// The switch that the tracer will be called for.
    pub(super) traced: Cell<Option<(Event, GreenletId)>>,
    pub(super) main_id: LazyId,
    pub(super) main_locals: RefCell<Option<GreenletLocals>>,
}

/// The set of reasons why a switch has more work to do.
#[derive(Copy, Clone, Eq, PartialEq)]
pub(super) struct Flags(u8);

impl Flags {
    pub(super) const NONE: Flags = Flags(0);
    /// There is a tracer.
    pub(super) const TRACER: Flags = Flags(1);
    /// The tracer runs.
    pub(super) const TRACING: Flags = Flags(2);
    /// `orphans` is not empty.
    pub(super) const ORPHANS: Flags = Flags(4);
    /// `litter` is not empty.
    pub(super) const LITTER: Flags = Flags(8);
    /// A greenlet is being unwound because the frame ends: nothing may be switched to.
    pub(super) const CLOSING: Flags = Flags(16);
    /// `sweeps` is not zero.
    pub(super) const SWEEPING: Flags = Flags(32);
}

/// Returns the context of the frame whose code runs.
///
/// # Panics
///
/// Panics outside of `frame` and `run`.
#[track_caller]
pub(super) fn current_context() -> Rc<Context> {
    match Context::find() {
        Some(context) => context,
        None => panic!("{}", Refusal::NoFrame.with(())),
    }
}

impl Context {
    fn new(frame: Rc<Frame>) -> Context {
        Context {
            current: Cell::new(ptr::null()),
            flags: Cell::new(Flags::NONE),
            main_waits: Cell::new(ptr::null()),
            main_kills: Cell::new(false),
            frame,
            is_closed: Cell::new(false),
            refusals: Cell::new(0),
            mains: RefCell::new(Vec::new()),
            orphans: RefCell::new(VecDeque::new()),
            litter: RefCell::new(Vec::new()),
            sweeps: Cell::new(0),
            tracer: RefCell::new(None),
            traced: Cell::new(None),
            main_id: LazyId::default(),
            main_locals: RefCell::new(None),
        }
    }

    /// Returns the context of the frame whose code runs, if it runs in one. Creates the context at
    /// the first call.
    pub(super) fn find() -> Option<Rc<Context>> {
        let frame = Frame::current()?;
        let extension = frame.extension().and_then(|owner| owner.downcast::<Owner>().ok());
        if let Some(owner) = extension {
            return Some(owner.0.clone());
        }
        let context = Rc::new(Context::new(frame.clone()));
        frame.set_extension(Rc::new(Owner(context.clone())));
        Some(context)
    }

    #[inline(always)]
    pub(super) fn is_quiet(&self) -> bool {
        self.flags.get() == Flags::NONE
    }

    pub(super) fn has_flag(&self, what: Flags) -> bool {
        self.flags.get().0 & what.0 != 0
    }

    pub(super) fn set_flag(&self, what: Flags, on: bool) {
        let now = self.flags.get().0;
        self.flags.set(Flags(if on { now | what.0 } else { now & !what.0 }));
    }

    /// Returns the current greenlet; `None` if that is main.
    #[inline(always)]
    pub(super) fn current(&self) -> Option<&Header> {
        // SAFETY: null, or a greenlet that has started and has not ended: the roster keeps it
        // alive.
        unsafe { self.current.get().as_ref() }
    }

    pub(super) fn current_id(&self) -> GreenletId {
        self.current().map_or_else(|| self.main_id.get(), Header::id)
    }

    /// Returns the family of the current greenlet; `None` for main, which exchanges values of every
    /// type.
    pub(super) fn current_family(&self) -> Option<Family> {
        self.current().map(|current| current.family)
    }

    /// Returns the name of the type of the values that main waits for.
    #[cold]
    pub(super) fn family_of_main(&self) -> &'static str {
        let (mains, waiting) = (self.mains.borrow(), self.main_waits.get());
        let main = mains.iter().find(|main| ptr::eq(main.header(), waiting));
        main.map_or("another", |main| main.header().family.name)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    /// Returns the main greenlet of the family of `V`.
    pub(super) fn main<V: 'static>(self: &Rc<Self>) -> Rc<Core<V>> {
        let known = self.mains.borrow().iter().find(|main| main.header().is_of::<V>()).cloned();
        if let Some(main) = known.and_then(|main| main.into_any().downcast().ok()) {
            return main;
        }
        let main = Core::<V>::main(self);
        self.mains.borrow_mut().push(main.clone());
        main
    }

    /// Makes main, which waits, the current greenlet, and leaves `signal` for it.
    pub(super) fn signal_main(&self, signal: Signal) {
        let mains = self.mains.borrow();
        let waiting = self.main_waits.get();
        // A main greenlet that kills checks all of them.
        let main = mains.iter().find(|main| waiting.is_null() || ptr::eq(main.header(), waiting));
        if let Some(main) = main {
            main.put(signal);
        }
        drop(mains);
        self.current.set(ptr::null());
    }

    /// Returns the main greenlets of all families.
    pub(super) fn mains(&self) -> Vec<Rc<dyn Erased>> {
        self.mains.borrow().clone()
    }

    /// Returns an error if the code that runs may not switch the greenlets of this context.
    pub(super) fn check(self: &Rc<Self>) -> Result<(), Refusal> {
        if self.is_closed() {
            return Err(Refusal::Gone);
        }
        if !self.frame.is_current() {
            let current = Frame::current().ok_or(Refusal::NoFrame)?;
            return Err(Refusal::Elsewhere(Elsewhere::new(&current, &self.frame)));
        }
        if self.has_flag(Flags::TRACING) {
            return Err(Refusal::Tracing);
        }
        if self.has_flag(Flags::CLOSING) {
            self.count_refusal();
            return Err(Refusal::Gone);
        }
        Ok(())
    }

    /// Counts the switches of a greenlet that is unwound because its frame ends. A greenlet that
    /// switches again and again would never end: it is abandoned.
    fn count_refusal(&self) {
        self.refusals.set(self.refusals.get() + 1);
        if MOST_REFUSALS < self.refusals.get() {
            if let Some(current) = self.current() {
                // SAFETY: the code of the current greenlet runs, and is on its stack or on top of
                // it.
                unsafe { current.coroutine.leave_forever() }
            }
        }
    }

    /// Marks the context as closing while `greenlet` is unwound because the frame ends: nothing may
    /// be switched to meanwhile.
    pub(super) fn begin_closing(&self, greenlet: *const Header) {
        debug_assert!(self.current.get().is_null(), "a frame ends on its own stack");
        self.refusals.set(0);
        self.set_flag(Flags::CLOSING, true);
        self.current.set(greenlet);
    }

    /// Drops everything that belongs to the user, when the frame has ended.
    fn close(&self) {
        self.is_closed.set(true);
        self.flags.set(Flags::NONE);
        let tracer = self.tracer.take();
        let locals = self.main_locals.take();
        let mains = self.mains.take();
        let orphans = self.orphans.take();
        let litter = self.litter.take();
        run_quietly("the destructor of a tracer", || drop(tracer));
        run_quietly("the destructor of a greenlet-local", || drop(locals));
        run_quietly("the destructor of a greenlet", || drop((mains, orphans, litter)));
    }
}

/// The number of switches after which a greenlet that is unwound by the end of its frame is
/// abandoned.
const MOST_REFUSALS: u32 = 100;

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("frame", &self.frame).finish_non_exhaustive()
    }
}

/// The value that the frame holds: its drop closes the context.
struct Owner(Rc<Context>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.close();
    }
}
