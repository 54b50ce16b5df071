//! The record of a greenlet, and the place in which values come to it.
//!
//! ```text
//!   one allocation, counted by `Rc`
//!  +----------------------------+
//!  | Head: strand, family, ..   |  <- World::current, AnyGreenlet: the type of V is not known
//!  | slot: a value, or a signal |  <- whoever switches to it writes here
//!  | run, until it starts       |
//!  | parent ---------------------> the parent's record
//!  +----------------------------+
//! ```
//!
//! Invariants:
//! - `head` comes first, so that a pointer to a record is one to its head.
//! - A value is in the slot, or a signal beside it, from a switch until its target has arrived, and
//!   `came` says which. Between the two no user code runs, and nothing is left there.
//! - No reference into a slot is held across a switch, or while user code runs.
//! - `world` is set when a greenlet starts, in the world of the frame that it runs in; that of a main
//!   greenlet from the beginning. A started greenlet stands in the roster of its frame until it has
//!   ended, and so is not freed.
//! - A main greenlet's strand is never started: its stack is the frame's own.

#![allow(unsafe_code, reason = "values move between the stacks of one thread")]

use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell, UnsafeCell};
use std::fmt;
use std::mem::MaybeUninit;
use std::rc::Rc;

use crate::fiber::frame::Nested;
use crate::fiber::strand::State;
use crate::fiber::task;
use crate::greenlet::Greenlet;
use crate::greenlet::error::{GreenletExit, Payload};
use crate::greenlet::head::{Family, Head};
use crate::greenlet::locals::GreenletLocals;
use crate::greenlet::trace::Event;
use crate::greenlet::world::World;
use crate::stack::SizeClass;

/// A greenlet's function.
pub(super) type Run<V> = Box<dyn FnOnce(V) -> V>;

/// What has come to a greenlet that waits.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
enum Came {
    Nothing,
    Value,
    Signal,
}

/// What comes to a greenlet that waits.
pub(super) enum Message<V> {
    Value(V),
    Signal(Signal),
}

/// What comes to a greenlet that is not a value of its family.
pub(super) enum Signal {
    /// An exit has ended a greenlet: it is returned, not raised.
    Exit(GreenletExit),
    /// To be raised.
    Raise(Payload),
}

/// A greenlet.
#[repr(C)]
pub(super) struct Core<V: 'static> {
    pub(super) head: Head,
    slot: UnsafeCell<MaybeUninit<V>>,
    /// What came last; only one that kills sets it back.
    came: Cell<Came>,
    signal: Cell<Option<Signal>>,
    pub(super) run: Cell<Option<Run<V>>>,
    parent: RefCell<Option<Greenlet<V>>>,
    /// Main, for a greenlet that has started.
    pub(super) main: OnceCell<Rc<Core<V>>>,
}

/// A greenlet whose type is not known.
pub(super) trait Erased: Nested {
    fn head(&self) -> &Head;

    fn into_any(self: Rc<Self>) -> Rc<dyn Any>;

    fn into_nested(self: Rc<Self>) -> Rc<dyn Nested>;

    /// Leaves a signal for it. It must wait, and run next.
    fn put(&self, signal: Signal);

    /// It will wait for anything: nothing has come yet.
    fn expect_anything(&self);

    /// Whether something has come to it since.
    fn has_come(&self) -> bool;

    /// Takes that, and drops it unless it is to be raised.
    fn take_payload(&self) -> Option<Payload>;

    /// Keeps it for ever, as it is, if it is suspended.
    fn abandon(self: Rc<Self>, why: &str);
}

impl<V: 'static> Core<V> {
    pub(super) fn new(class: SizeClass, run: Option<Run<V>>) -> Core<V> {
        let core = Core::with(Head::new(class, Family::of::<V>(), false), None);
        drop(core.replace_run(run));
        core
    }

    /// Sets what an unstarted greenlet will run, on a stack large enough to move it there.
    pub(super) fn replace_run(&self, run: Option<Run<V>>) -> Option<Run<V>> {
        // A debug build moves a value from call to call, inlined ones as well.
        let exchanged = size_of::<V>().saturating_mul(4);
        let moved = run.as_ref().map_or(0, |run| size_of_val(&**run)).saturating_add(exchanged);
        self.head.strand.set_class(task::class_for_moves(self.head.asked, moved));
        self.run.replace(run)
    }

    fn with(head: Head, run: Option<Run<V>>) -> Core<V> {
        Core {
            head,
            slot: UnsafeCell::new(MaybeUninit::uninit()),
            came: Cell::new(Came::Nothing),
            signal: Cell::new(None),
            run: Cell::new(run),
            parent: RefCell::new(None),
            main: OnceCell::new(),
        }
    }

    /// The main greenlet of `world`, as this family knows it.
    pub(super) fn main(world: &Rc<World>) -> Rc<Core<V>> {
        let head = Head::new(SizeClass::DEFAULT, Family::of::<V>(), true);
        let _ = head.world.set(world.clone());
        let main = Rc::new(Core::with(head, None));
        main.head.root.set(&raw const main.head);
        main
    }

    /// Main, for one that has started or is main itself.
    #[inline(always)]
    pub(super) fn main_core(&self) -> &Core<V> {
        self.main.get().map_or(self, |main| main)
    }

    pub(super) fn set_started_in(self: &Rc<Self>, world: &Rc<World>) {
        let core: *const Core<V> = Rc::as_ptr(self);
        self.head.set_erased(core);
        let main = world.main();
        self.head.root.set(&raw const main.head);
        let _ = self.main.set(main);
        let _ = self.head.world.set(world.clone());
    }

    /// Its parent's record.
    pub(super) fn parent(&self) -> Option<Rc<Core<V>>> {
        self.parent.borrow().as_ref().map(|parent| parent.core.clone())
    }

    /// Sets its parent. The caller drops the one before, which may be the last handle.
    pub(super) fn replace_parent(&self, parent: Option<Greenlet<V>>) -> Option<Greenlet<V>> {
        self.parent.replace(parent)
    }

    pub(super) fn locals(&self) -> &RefCell<Option<GreenletLocals>> {
        match self.head.world.get() {
            Some(world) if self.head.is_main => &world.main_locals,
            _ => &self.head.locals,
        }
    }

    pub(super) fn has_run(&self) -> bool {
        let run = self.run.take();
        let has_run = run.is_some();
        self.run.set(run);
        has_run
    }

    /// Leaves `message` for it. It must wait, and run next.
    #[inline(always)]
    pub(super) fn send(&self, message: Message<V>) {
        match message {
            Message::Value(value) => {
                self.came.set(Came::Value);
                // SAFETY: nobody holds a reference to the slot. It is empty, so nothing is leaked:
                // whoever waits has taken what came before.
                unsafe { (*self.slot.get()).write(value) };
            }
            Message::Signal(signal) => {
                self.came.set(Came::Signal);
                self.signal.set(Some(signal));
            }
        }
    }

    /// Whether a value has come to it, and no signal.
    #[inline(always)]
    pub(super) fn has_value(&self) -> bool {
        self.came.get() == Came::Value
    }

    /// The value that has come to it.
    ///
    /// # Safety
    ///
    /// A value must have come to it, and not have been taken.
    #[inline(always)]
    pub(super) unsafe fn take_value(&self) -> V {
        // SAFETY: nobody holds a reference to the slot, and it is full: the caller's promise.
        unsafe { (*self.slot.get()).assume_init_read() }
    }

    /// What has come to it.
    ///
    /// # Safety
    ///
    /// Something must have come to it, and not have been taken.
    pub(super) unsafe fn take_message(&self) -> Message<V> {
        match self.signal.take() {
            Some(signal) => Message::Signal(signal),
            // SAFETY: no signal, hence a value: the caller's promise.
            None => Message::Value(unsafe { self.take_value() }),
        }
    }

    /// The last handle is gone.
    #[cold]
    #[inline(never)]
    pub(super) fn lost_last_handle(self: &Rc<Self>) {
        let Some(world) = self.head.world.get() else { return };
        match self.head.strand.state() {
            State::Fresh | State::Ended | State::Retired => {}
            State::Running | State::Suspended => world.lost(self.clone()),
        }
    }
}

impl Signal {
    /// What it is to the parent of the greenlet that it leaves: an exit is raised no further.
    pub(super) fn leave(self) -> Signal {
        match self {
            Signal::Exit(_) => self,
            Signal::Raise(payload) => match payload.downcast::<GreenletExit>() {
                Ok(exit) => Signal::Exit(*exit),
                Err(payload) => Signal::Raise(payload),
            },
        }
    }

    /// As what a tracer sees it.
    pub(super) fn event(&self) -> Event {
        match self {
            Signal::Raise(_) => Event::Throw,
            Signal::Exit(_) => Event::Switch,
        }
    }

    pub(super) fn into_payload(self) -> Payload {
        match self {
            Signal::Raise(payload) => payload,
            Signal::Exit(exit) => Box::new(exit),
        }
    }
}

impl<V: 'static> Erased for Core<V> {
    fn head(&self) -> &Head {
        &self.head
    }

    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }

    fn into_nested(self: Rc<Self>) -> Rc<dyn Nested> {
        self
    }

    fn put(&self, signal: Signal) {
        self.send(Message::Signal(signal));
    }

    fn expect_anything(&self) {
        self.came.set(Came::Nothing);
    }

    fn has_come(&self) -> bool {
        self.came.get() != Came::Nothing
    }

    fn take_payload(&self) -> Option<Payload> {
        if !self.has_come() {
            return None;
        }
        // SAFETY: something has come, and whoever waited for anything takes it once.
        let message = unsafe { self.take_message() };
        self.came.set(Came::Nothing);
        match message {
            Message::Signal(Signal::Raise(payload)) => Some(payload),
            other => {
                let world = self.head.world.get()?;
                world.quietly("the destructor of a value", || drop(other));
                None
            }
        }
    }

    fn abandon(self: Rc<Self>, why: &str) {
        self.give_up_for_ever(why);
    }
}

impl<V: 'static> Drop for Core<V> {
    /// Frees a long chain of parents, each held by its child alone, one after another and not in a
    /// recursion as deep as the chain.
    fn drop(&mut self) {
        let mut next = self.parent.get_mut().take();
        while let Some(parent) = next {
            let is_last = Rc::strong_count(&parent.core) == 1;
            next = if is_last { parent.core.parent.take() } else { None };
        }
    }
}

impl<V: 'static> fmt::Debug for Core<V> {
    /// In the words of G-018.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let main = if self.head.is_main { " main" } else { "" };
        let is_current = self.head.is_current();
        f.write_str(match self.head.strand.state() {
            State::Fresh if !self.head.is_main => "pending",
            _ if self.head.is_dead() && self.head.is_main => "(frame exited) dead",
            _ if self.head.is_dead() => "dead",
            _ if is_current => "current active started",
            _ => "suspended active started",
        })?;
        f.write_str(if self.head.is_dead() { "" } else { main })
    }
}
