//! The record of a greenlet, and the slot in which values are delivered to it.
//!
//! ```text
//!   one allocation, counted by `Rc`
//!  +-----------------------------+
//!  | Header: coroutine, family.. |  <- Context::current: the type of V is not known
//!  | slot: a value, or a signal  |  <- written by the code that switches to the greenlet
//!  | run, until it starts        |
//!  | parent ----------------------> the parent's record
//!  +-----------------------------+
//! ```
//!
//! Invariants:
//! - `header` is the first field, so that a pointer to a record is a pointer to its header.
//! - A value is in the slot, or a signal beside it, from a switch until its target has arrived, and
//!   `came` records which of the two. Between switch and arrival no user code runs. After the
//!   arrival nothing is left in either.
//! - No reference into a slot is held across a switch, or while user code runs.
//! - `context` is set when a greenlet starts, to the context of the frame that it runs in. A main
//!   greenlet has it from the beginning. A started greenlet is listed in the roster of its frame
//!   until it has ended, and so is not freed.
//! - The coroutine of a main greenlet is never started: its stack is the frame's own stack.

#![allow(unsafe_code, reason = "values move between the stacks of one thread")]

use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell, UnsafeCell};
use std::fmt;
use std::mem::MaybeUninit;
use std::rc::Rc;

use crate::fiber::coroutine::State;
use crate::fiber::roster::Nested;
use crate::fiber::task;
use crate::greenlet::Greenlet;
use crate::greenlet::context::Context;
use crate::greenlet::error::{GreenletExit, Payload};
use crate::greenlet::header::{Family, Header};
use crate::greenlet::locals::GreenletLocals;
use crate::greenlet::trace::Event;
use crate::stack::SizeClass;

/// The function of a greenlet.
pub(super) type Run<V> = Box<dyn FnOnce(V) -> V>;

/// The kind of message that has come to a greenlet that waits.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
enum Came {
    Nothing,
    Value,
    Signal,
}

/// A message to a greenlet that waits.
pub(super) enum Message<V> {
    Value(V),
    Signal(Signal),
}

/// A message that is not a value of the greenlet's family.
pub(super) enum Signal {
    /// The exit that has ended a greenlet: it is returned, not raised.
    Exit(GreenletExit),
    /// The payload to be raised.
    Raise(Payload),
}

/// The record of a greenlet.
#[repr(C)]
pub(super) struct Core<V: 'static> {
    pub(super) header: Header,
    slot: UnsafeCell<MaybeUninit<V>>,
    /// The kind of the last message. Only a greenlet that kills another one sets it back to
    /// `Nothing`.
    came: Cell<Came>,
    signal: Cell<Option<Signal>>,
    pub(super) run: Cell<Option<Run<V>>>,
    parent: RefCell<Option<Greenlet<V>>>,
    /// The main greenlet, if this greenlet has started.
    pub(super) main: OnceCell<Rc<Core<V>>>,
}

/// The record of a greenlet whose type is not known.
pub(super) trait Erased: Nested {
    fn header(&self) -> &Header;

    fn into_any(self: Rc<Self>) -> Rc<dyn Any>;

    fn into_nested(self: Rc<Self>) -> Rc<dyn Nested>;

    /// Leaves a signal for the greenlet, which must be waiting and must be the next one to run.
    fn put(&self, signal: Signal);

    /// Prepares the greenlet to wait for any message: none has come yet.
    fn expect_anything(&self);

    /// Returns whether a message has come since [`expect_anything`](Erased::expect_anything).
    fn has_come(&self) -> bool;

    /// Takes that message. Returns its payload if it must be raised, and drops it otherwise.
    fn take_payload(&self) -> Option<Payload>;

    /// Keeps the record forever, and the stack in its present state if the greenlet is suspended.
    fn abandon_because(self: Rc<Self>, why: &str);
}

impl<V: 'static> Core<V> {
    pub(super) fn new(class: SizeClass, run: Option<Run<V>>) -> Core<V> {
        let core = Core::with(Header::new(class, Family::of::<V>(), false), None);
        drop(core.replace_run(run));
        core
    }

    /// Sets the function of an unstarted greenlet, and a stack class large enough to move it there.
    pub(super) fn replace_run(&self, run: Option<Run<V>>) -> Option<Run<V>> {
        // A debug build moves a value from call to call, and through inlined calls as well.
        let exchanged = size_of::<V>().saturating_mul(4);
        let moved = run.as_ref().map_or(0, |run| size_of_val(&**run)).saturating_add(exchanged);
        self.header.coroutine.set_class(task::class_for_moves(self.header.asked, moved));
        self.run.replace(run)
    }

    fn with(header: Header, run: Option<Run<V>>) -> Core<V> {
        Core {
            header,
            slot: UnsafeCell::new(MaybeUninit::uninit()),
            came: Cell::new(Came::Nothing),
            signal: Cell::new(None),
            run: Cell::new(run),
            parent: RefCell::new(None),
            main: OnceCell::new(),
        }
    }

    /// Creates the record of the main greenlet of `context` for this family.
    pub(super) fn main(context: &Rc<Context>) -> Rc<Core<V>> {
        let header = Header::new(SizeClass::DEFAULT, Family::of::<V>(), true);
        let _ = header.context.set(context.clone());
        let main = Rc::new(Core::with(header, None));
        main.header.root.set(&raw const main.header);
        main
    }

    /// Returns the main greenlet, if this one has started or is the main greenlet itself.
    #[inline(always)]
    pub(super) fn main_core(&self) -> &Core<V> {
        self.main.get().map_or(self, |main| main)
    }

    pub(super) fn set_started_in(self: &Rc<Self>, context: &Rc<Context>) {
        let core: *const Core<V> = Rc::as_ptr(self);
        self.header.set_erased(core);
        let main = context.main();
        self.header.root.set(&raw const main.header);
        let _ = self.main.set(main);
        let _ = self.header.context.set(context.clone());
    }

    /// Returns the record of the greenlet's parent.
    pub(super) fn parent(&self) -> Option<Rc<Core<V>>> {
        self.parent.borrow().as_ref().map(|parent| parent.core.clone())
    }

    /// Sets the parent. Returns the previous one, which the caller drops: it may be the last
    /// handle.
    pub(super) fn replace_parent(&self, parent: Option<Greenlet<V>>) -> Option<Greenlet<V>> {
        self.parent.replace(parent)
    }

    pub(super) fn locals(&self) -> &RefCell<Option<GreenletLocals>> {
        match self.header.context.get() {
            Some(context) if self.header.is_main => &context.main_locals,
            _ => &self.header.locals,
        }
    }

    pub(super) fn has_run(&self) -> bool {
        let run = self.run.take();
        let has_run = run.is_some();
        self.run.set(run);
        has_run
    }

    /// Leaves `message` for the greenlet, which must be waiting and must be the next one to run.
    #[inline(always)]
    pub(super) fn send(&self, message: Message<V>) {
        match message {
            Message::Value(value) => {
                self.came.set(Came::Value);
                // SAFETY: nothing holds a reference to the slot. It is empty, because the greenlet
                // took the previous message before it waited again, so no value is leaked.
                unsafe { (*self.slot.get()).write(value) };
            }
            Message::Signal(signal) => {
                self.came.set(Came::Signal);
                self.signal.set(Some(signal));
            }
        }
    }

    /// Returns whether a value has come to the greenlet, and not a signal.
    #[inline(always)]
    pub(super) fn has_value(&self) -> bool {
        self.came.get() == Came::Value
    }

    /// Takes the value that has come to the greenlet.
    ///
    /// # Safety
    ///
    /// A value must have come to the greenlet, and must not have been taken yet.
    #[inline(always)]
    pub(super) unsafe fn take_value(&self) -> V {
        // SAFETY: nothing holds a reference to the slot, and the slot is full, as the caller
        // guarantees.
        unsafe { (*self.slot.get()).assume_init_read() }
    }

    /// Takes the message that has come to the greenlet.
    ///
    /// # Safety
    ///
    /// A message must have come to the greenlet, and must not have been taken yet.
    pub(super) unsafe fn take_message(&self) -> Message<V> {
        match self.signal.take() {
            Some(signal) => Message::Signal(signal),
            // SAFETY: there is no signal, so a value has come, as the caller guarantees.
            None => Message::Value(unsafe { self.take_value() }),
        }
    }

    /// Handles the drop of the last handle.
    #[cold]
    #[inline(never)]
    pub(super) fn lost_last_handle(self: &Rc<Self>) {
        let Some(context) = self.header.context.get() else { return };
        match self.header.coroutine.state() {
            State::Fresh | State::Ended | State::Abandoned => {}
            State::Running | State::Suspended => context.lost(self.clone()),
        }
    }
}

impl Signal {
    /// Converts a signal that leaves a greenlet to the signal that its parent gets: a
    /// [`GreenletExit`] is returned there, and not raised any further.
    pub(super) fn leave(self) -> Signal {
        match self {
            Signal::Exit(_) => self,
            Signal::Raise(payload) => match payload.downcast::<GreenletExit>() {
                Ok(exit) => Signal::Exit(*exit),
                Err(payload) => Signal::Raise(payload),
            },
        }
    }

    /// Returns the event that a tracer sees for this signal.
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
    fn header(&self) -> &Header {
        &self.header
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
        // SAFETY: a message has come, and the greenlet that waited for any message takes it once.
        let message = unsafe { self.take_message() };
        self.came.set(Came::Nothing);
        match message {
            Message::Signal(Signal::Raise(payload)) => Some(payload),
            other => {
                let context = self.header.context.get()?;
                context.quietly("the destructor of a value", || drop(other));
                None
            }
        }
    }

    fn abandon_because(self: Rc<Self>, why: &str) {
        self.abandon_and_report(why);
    }
}

impl<V: 'static> Drop for Core<V> {
    /// Frees a long chain of parents, each held by its child alone, in a loop and not in a
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
    /// Prints the state in the words of Python's greenlet. A frame or fiber that has ended takes
    /// the place of a thread that has exited.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let main = if self.header.is_main { " main" } else { "" };
        let is_current = self.header.is_current();
        f.write_str(match self.header.coroutine.state() {
            State::Fresh if !self.header.is_main => "pending",
            _ if self.header.is_dead() && self.header.is_main => "(frame exited) dead",
            _ if self.header.is_dead() => "dead",
            _ if is_current => "current active started",
            _ => "suspended active started",
        })?;
        f.write_str(if self.header.is_dead() { "" } else { main })
    }
}
