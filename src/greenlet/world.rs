//! What the greenlets of one frame share: which of them runs, who its main one is, what to look after.
//!
//! ```text
//!    frame ----extension----> World                       one per fiber, or thread's frame
//!                               current ---> the greenlet that runs; null: main does
//!                               main_waits -> main, as the family that it waits for knows it
//!                               mains ------> main, once for each type that is exchanged
//! ```
//!
//! Invariants:
//! - Unless the world is closing, `current` is the greenlet whose code runs when the frame's code
//!   does; or, between a switch and its arrival, the one to which it leads. It is alive: it stands in
//!   the roster of the frame.
//! - While `current` is null nothing of this world runs but the frame's own stack, and main does not
//!   wait. While it is not, main waits, for values of one family or for anything.
//! - `attention` is zero if a switch has nothing to look after but the switch.
//! - The world is closed before its frame ends, unless that gave it up. No user code runs while one
//!   of its lists is borrowed.

#![allow(unsafe_code, reason = "follows the pointer to the greenlet that runs, and leaves stacks")]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::ptr;
use std::rc::Rc;

use crate::fiber::frame::{Frame, Nested};
use crate::greenlet::core::{Core, Erased, Signal};
use crate::greenlet::error::{Elsewhere, Refusal};
use crate::greenlet::head::{Family, Head};
use crate::greenlet::kill::run_quietly;
use crate::greenlet::locals::GreenletLocals;
use crate::greenlet::trace::{Event, GreenletId, LazyId, Tracer};

/// The greenlets of one frame.
pub(super) struct World {
    pub(super) current: Cell<*const Head>,
    pub(super) attention: Cell<Attention>,
    pub(super) main_waits: Cell<*const Head>,
    /// Main waits for the end of one that it kills, and takes whatever comes.
    pub(super) main_kills: Cell<bool>,
    pub(super) frame: Rc<Frame>,
    is_closed: Cell<bool>,
    /// Switches that were refused because the world is closing.
    refusals: Cell<u32>,
    mains: RefCell<Vec<Rc<dyn Erased>>>,
    /// Those that have lost their last handle where they could not be killed.
    pub(super) orphans: RefCell<VecDeque<Rc<dyn Erased>>>,
    /// Those that have ended and have no handle: their destructors are user code.
    pub(super) litter: RefCell<Vec<Rc<dyn Nested>>>,
    /// How many stacks run destructors that are none of their own.
    pub(super) sweeps: Cell<u32>,
    pub(super) tracer: RefCell<Option<Rc<Tracer>>>,
    /// The switch of which the tracer will be told.
    pub(super) traced: Cell<Option<(Event, GreenletId)>>,
    pub(super) main_id: LazyId,
    pub(super) main_locals: RefCell<Option<GreenletLocals>>,
}

/// What a switch has to look after, as a set.
#[derive(Copy, Clone, Eq, PartialEq)]
pub(super) struct Attention(u8);

impl Attention {
    pub(super) const NONE: Attention = Attention(0);
    /// There is a tracer.
    pub(super) const TRACER: Attention = Attention(1);
    /// It runs.
    pub(super) const TRACING: Attention = Attention(2);
    /// `orphans` is not empty.
    pub(super) const ORPHANS: Attention = Attention(4);
    /// `litter` is not empty.
    pub(super) const LITTER: Attention = Attention(8);
    /// One is being unwound because the frame ends: nothing may be switched to.
    pub(super) const CLOSING: Attention = Attention(16);
    /// `sweeps` is not zero.
    pub(super) const SWEEPING: Attention = Attention(32);
}

/// The world of the frame whose code runs.
///
/// # Panics
///
/// Outside of `frame` and `run`.
#[track_caller]
pub(super) fn here() -> Rc<World> {
    match World::find() {
        Some(world) => world,
        None => panic!("{}", Refusal::NoFrame.with(())),
    }
}

impl World {
    fn new(frame: Rc<Frame>) -> World {
        World {
            current: Cell::new(ptr::null()),
            attention: Cell::new(Attention::NONE),
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

    /// The world of the frame whose code runs, if it runs in one.
    pub(super) fn find() -> Option<Rc<World>> {
        let frame = Frame::current()?;
        let extension = frame.extension().and_then(|owner| owner.downcast::<Owner>().ok());
        if let Some(owner) = extension {
            return Some(owner.0.clone());
        }
        let world = Rc::new(World::new(frame.clone()));
        frame.set_extension(Rc::new(Owner(world.clone())));
        Some(world)
    }

    #[inline(always)]
    pub(super) fn is_quiet(&self) -> bool {
        self.attention.get() == Attention::NONE
    }

    pub(super) fn attends(&self, what: Attention) -> bool {
        self.attention.get().0 & what.0 != 0
    }

    pub(super) fn attend(&self, what: Attention, on: bool) {
        let now = self.attention.get().0;
        self.attention.set(Attention(if on { now | what.0 } else { now & !what.0 }));
    }

    /// The greenlet that runs; none if main does.
    #[inline(always)]
    pub(super) fn current(&self) -> Option<&Head> {
        // SAFETY: null, or one that has started and has not ended: the roster keeps it.
        unsafe { self.current.get().as_ref() }
    }

    pub(super) fn current_id(&self) -> GreenletId {
        self.current().map_or_else(|| self.main_id.get(), Head::id)
    }

    /// The type of what the running greenlet exchanges; none for main, which exchanges anything.
    pub(super) fn current_family(&self) -> Option<Family> {
        self.current().map(|current| current.family)
    }

    /// The name of the type of what main waits for.
    #[cold]
    pub(super) fn family_of_main(&self) -> &'static str {
        let (mains, waiting) = (self.mains.borrow(), self.main_waits.get());
        let main = mains.iter().find(|main| ptr::eq(main.head(), waiting));
        main.map_or("another", |main| main.head().family.name)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    /// Main, as the family of `V` knows it.
    pub(super) fn main<V: 'static>(self: &Rc<Self>) -> Rc<Core<V>> {
        let known = self.mains.borrow().iter().find(|main| main.head().is_of::<V>()).cloned();
        if let Some(main) = known.and_then(|main| main.into_any().downcast().ok()) {
            return main;
        }
        let main = Core::<V>::main(self);
        self.mains.borrow_mut().push(main.clone());
        main
    }

    /// Hands the thread to main, which waits, with a signal.
    pub(super) fn signal_main(&self, signal: Signal) {
        let mains = self.mains.borrow();
        let waiting = self.main_waits.get();
        // One that kills looks at all of them.
        let main = mains.iter().find(|main| waiting.is_null() || ptr::eq(main.head(), waiting));
        if let Some(main) = main {
            main.put(signal);
        }
        drop(mains);
        self.current.set(ptr::null());
    }

    /// Every form of main.
    pub(super) fn mains(&self) -> Vec<Rc<dyn Erased>> {
        self.mains.borrow().clone()
    }

    /// Whether the code that runs may switch the greenlets of this world.
    pub(super) fn check(self: &Rc<Self>) -> Result<(), Refusal> {
        if self.is_closed() {
            return Err(Refusal::Gone);
        }
        if !self.frame.is_current() {
            let here = Frame::current().ok_or(Refusal::NoFrame)?;
            return Err(Refusal::Elsewhere(Elsewhere::new(&here, &self.frame)));
        }
        if self.attends(Attention::TRACING) {
            return Err(Refusal::Tracing);
        }
        if self.attends(Attention::CLOSING) {
            self.count_refusal();
            return Err(Refusal::Gone);
        }
        Ok(())
    }

    /// The frame ends and unwinds the greenlet that runs, which switches. One that does so again and
    /// again would never end: it is left as it is.
    fn count_refusal(&self) {
        self.refusals.set(self.refusals.get() + 1);
        if MOST_REFUSALS < self.refusals.get() {
            if let Some(current) = self.current() {
                // SAFETY: the code of the current greenlet runs, and is on its stack or on top of it.
                unsafe { current.strand.leave_for_ever() }
            }
        }
    }

    /// The frame ends, and `greenlet` is unwound: nothing is switched meanwhile.
    pub(super) fn begin_closing(&self, greenlet: *const Head) {
        debug_assert!(self.current.get().is_null(), "a frame ends on its own stack");
        self.refusals.set(0);
        self.attend(Attention::CLOSING, true);
        self.current.set(greenlet);
    }

    /// The frame has ended: drops all that is the user's.
    fn close(&self) {
        self.is_closed.set(true);
        self.attention.set(Attention::NONE);
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

/// A greenlet that is unwound by the end of its frame and switches this often is left as it is.
const MOST_REFUSALS: u32 = 100;

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("frame", &self.frame).finish_non_exhaustive()
    }
}

/// What the frame holds: it closes the world.
struct Owner(Rc<World>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.close();
    }
}
