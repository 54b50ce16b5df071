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

use std::any::{Any, TypeId};
use std::cell::{Cell, OnceCell, RefCell, UnsafeCell};
use std::fmt;
use std::mem::MaybeUninit;
use std::ptr;
use std::rc::Rc;
use std::thread;

use crate::fiber::frame::Nested;
use crate::fiber::strand::{State, Strand};
use crate::fiber::task;
use crate::greenlet::Greenlet;
use crate::greenlet::error::{GreenletExit, Payload};
use crate::greenlet::locals::GreenletLocals;
use crate::greenlet::trace::{Event, GreenletId, LazyId};
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

/// A greenlet, as far as it does not depend on what it exchanges.
pub(super) struct Head {
    pub(super) strand: Strand,
    /// The type of what it exchanges.
    pub(super) family: TypeId,
    pub(super) is_main: bool,
    pub(super) world: OnceCell<Rc<World>>,
    /// Handles, children included: they hold their parent.
    pub(super) handles: Cell<usize>,
    /// Who waits for its end because it has dropped the last handle.
    pub(super) killer: Cell<Killer>,
    /// Whether a main greenlet waits while the thread unwinds.
    pub(super) main_unwinds: Cell<bool>,
    /// Whether it waits for the end of one that it kills, and takes whatever comes.
    pub(super) kills: Cell<bool>,
    /// The whole record. Set when it starts.
    erased: Cell<Option<*const dyn Erased>>,
    /// The size of stack that was asked for.
    asked: SizeClass,
    id: LazyId,
    pub(super) locals: RefCell<Option<GreenletLocals>>,
}

/// Who waits until a greenlet has ended, without a handle to it.
#[derive(Copy, Clone)]
pub(super) enum Killer {
    Nobody,
    Main,
    /// Alive while it stands here: it takes itself out before it leaves the wait.
    Other(*const dyn Erased),
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
    main: OnceCell<Rc<Core<V>>>,
}

/// Where a greenlet stands, seen from the world that runs.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) enum Life {
    Unstarted,
    /// It can be switched to.
    Waiting,
    Current,
    Dead,
    /// Main, which waits for values of another family.
    Deaf,
    Elsewhere,
}

/// A greenlet whose type is not known.
pub(super) trait Erased: Nested {
    fn head(&self) -> &Head;

    fn into_any(self: Rc<Self>) -> Rc<dyn Any>;

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

impl Head {
    fn new(class: SizeClass, family: TypeId, is_main: bool) -> Head {
        Head {
            strand: Strand::new(class, true),
            family,
            is_main,
            world: OnceCell::new(),
            handles: Cell::new(0),
            killer: Cell::new(Killer::Nobody),
            main_unwinds: Cell::new(false),
            kills: Cell::new(false),
            erased: Cell::new(None),
            asked: class,
            id: LazyId::default(),
            locals: RefCell::new(None),
        }
    }

    #[inline(always)]
    pub(super) fn is_of<V: 'static>(&self) -> bool {
        self.family == TypeId::of::<V>()
    }

    /// Its identity: all forms of a main greenlet have the same.
    pub(super) fn id(&self) -> GreenletId {
        match self.world.get() {
            Some(world) if self.is_main => world.main_id.get(),
            _ => self.id.get(),
        }
    }

    /// Itself as what it is, while it has a stack.
    pub(super) fn erased(&self) -> Option<*const dyn Erased> {
        self.erased.get()
    }

    pub(super) fn is_dead(&self) -> bool {
        match self.strand.state() {
            State::Ended | State::Retired => true,
            _ => self.is_main && self.world.get().is_some_and(|world| world.is_closed()),
        }
    }

    pub(super) fn is_unstarted(&self) -> bool {
        self.strand.state() == State::Fresh && !self.is_main
    }

    #[inline(always)]
    pub(super) fn is_suspended(&self) -> bool {
        self.strand.state() == State::Suspended
    }

    /// Whether something can be raised in it, which waits or has just been resumed. Not if it was left
    /// while the thread unwound, and the thread still does: it may be in a destructor. (Whose unwind
    /// that is nobody knows for certain, and a mistake would abort the process.)
    pub(super) fn can_raise(&self) -> bool {
        let left_in_unwind = if self.is_main {
            self.main_unwinds.get() && thread::panicking()
        } else {
            self.strand.was_left_in_unwind()
        };
        !cfg!(panic = "abort") && !left_in_unwind
    }
}

impl<V: 'static> Core<V> {
    pub(super) fn new(class: SizeClass, run: Option<Run<V>>) -> Core<V> {
        let core = Core::with(Head::new(class, TypeId::of::<V>(), false), None);
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
        let head = Head::new(SizeClass::DEFAULT, TypeId::of::<V>(), true);
        let _ = head.world.set(world.clone());
        Rc::new(Core::with(head, None))
    }

    /// Main, for one that has started or is main itself.
    #[inline(always)]
    pub(super) fn main_core(&self) -> &Core<V> {
        self.main.get().map_or(self, |main| main)
    }

    pub(super) fn set_started_in(self: &Rc<Self>, world: &Rc<World>) {
        let core: *const Core<V> = Rc::as_ptr(self);
        self.head.erased.set(Some(core));
        let _ = self.main.set(world.main());
        let _ = self.head.world.set(world.clone());
    }

    /// The world it belongs to; for an unstarted one, that of its nearest ancestor that has one.
    pub(super) fn world(self: &Rc<Self>) -> Option<Rc<World>> {
        let mut at = self.clone();
        loop {
            if let Some(world) = at.head.world.get() {
                return Some(world.clone());
            }
            at = at.parent()?;
        }
    }

    /// Its parent's record.
    pub(super) fn parent(&self) -> Option<Rc<Core<V>>> {
        self.parent.borrow().as_ref().map(|parent| parent.core.clone())
    }

    /// Its parent's record; main if it has none, for the world that runs.
    pub(super) fn parent_in(&self, world: &Rc<World>) -> Rc<Core<V>> {
        self.parent().unwrap_or_else(|| world.main())
    }

    /// Sets its parent. The caller drops the one before, which may be the last handle.
    pub(super) fn replace_parent(&self, parent: Option<Greenlet<V>>) -> Option<Greenlet<V>> {
        self.parent.replace(parent)
    }

    /// Itself, or the nearest ancestor that is not dead.
    pub(super) fn living(self: &Rc<Self>, world: &Rc<World>) -> Rc<Core<V>> {
        let mut at = self.clone();
        while at.head.is_dead() {
            at = at.parent_in(world);
        }
        at
    }

    /// Whoever kills it because its last handle is gone; main, if that one is of another family.
    pub(super) fn killer(&self) -> Option<Rc<Core<V>>> {
        match self.head.killer.get() {
            Killer::Nobody => None,
            Killer::Main => self.main.get().cloned(),
            Killer::Other(killer) => {
                // SAFETY: a killer is alive while it stands here.
                let is_kin = unsafe { &*killer }.head().is_of::<V>();
                if !is_kin {
                    return self.main.get().cloned();
                }
                let killer: *const Core<V> = killer.cast();
                // SAFETY: the pointer came from an `Rc` of this very type, as the family says, and
                // the roster keeps one; the count is that of the reference which `from_raw` makes.
                unsafe {
                    Rc::increment_strong_count(killer);
                    Some(Rc::from_raw(killer))
                }
            }
        }
    }

    /// Whether it is `other`, or an ancestor of that.
    pub(super) fn is_in_chain_of(self: &Rc<Self>, other: &Rc<Self>) -> bool {
        let mut at = Some(other.clone());
        while let Some(core) = at {
            if Rc::ptr_eq(self, &core) {
                return true;
            }
            at = core.parent();
        }
        false
    }

    /// Whether `other` belongs to its world, or does not belong to any yet.
    pub(super) fn shares_world_with(self: &Rc<Self>, other: &Rc<Self>) -> bool {
        let (own, its) = (self.world(), other.world());
        own.zip(its).is_none_or(|(own, its)| Rc::ptr_eq(&own, &its))
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

    /// Where it stands, seen from `world`, whose code runs.
    pub(super) fn life(self: &Rc<Self>, world: &Rc<World>) -> Life {
        let here = self.world().is_none_or(|own| Rc::ptr_eq(&own, world));
        match self.head.strand.state() {
            State::Ended | State::Retired => Life::Dead,
            _ if !here => Life::Elsewhere,
            State::Fresh if self.head.is_main => self.life_of_main(world),
            State::Fresh => Life::Unstarted,
            State::Suspended => Life::Waiting,
            State::Running => Life::Current,
        }
    }

    fn life_of_main(&self, world: &World) -> Life {
        if world.current().is_none() {
            return Life::Current;
        }
        if world.main_kills.get() || ptr::eq(world.main_waits.get(), &raw const self.head) {
            return Life::Waiting;
        }
        Life::Deaf
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

impl Head {
    /// Whether it is the one whose code calls this.
    pub(super) fn is_current(&self) -> bool {
        self.runs() && self.world.get().is_some_and(|world| world.frame.is_current())
    }

    /// Whether it is the one that runs in another fiber, which waits.
    pub(super) fn runs_elsewhere(&self) -> bool {
        self.runs() && self.world.get().is_some_and(|world| !world.frame.is_current())
    }

    /// Whether it is the one that runs in its frame.
    fn runs(&self) -> bool {
        let Some(world) = self.world.get().filter(|world| !world.is_closed()) else { return false };
        world.current().map_or(self.is_main, |current| ptr::eq(current, self))
    }
}
