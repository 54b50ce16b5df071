//! What is known of a greenlet without the type of what it exchanges.
//!
//! Invariants:
//! - `handles` counts the values of type [`Greenlet`](crate::greenlet::Greenlet).
//! - A killer stands in its victim for as long as it waits for the end of that, and no longer.

use std::any::{self, TypeId};
use std::cell::{Cell, OnceCell, RefCell};
use std::ptr;
use std::rc::Rc;
use std::thread;

use crate::fiber::strand::{State, Strand};
use crate::greenlet::core::Erased;
use crate::greenlet::locals::GreenletLocals;
use crate::greenlet::trace::{GreenletId, LazyId};
use crate::greenlet::world::World;
use crate::stack::SizeClass;

/// The type of what a greenlet exchanges.
#[derive(Copy, Clone)]
pub(super) struct Family {
    pub(super) of_type: TypeId,
    pub(super) name: &'static str,
}

impl Family {
    pub(super) fn of<V: 'static>() -> Family {
        Family { of_type: TypeId::of::<V>(), name: any::type_name::<V>() }
    }
}

/// A greenlet, as far as it does not depend on what it exchanges.
pub(super) struct Head {
    pub(super) strand: Strand,
    /// The type of what it exchanges.
    pub(super) family: Family,
    pub(super) is_main: bool,
    /// The main greenlet of its world and its family: itself, for that one. Null before it starts.
    pub(super) root: Cell<*const Head>,
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
    pub(super) asked: SizeClass,
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

impl Head {
    pub(super) fn new(class: SizeClass, family: Family, is_main: bool) -> Head {
        Head {
            strand: Strand::new(class, true),
            family,
            is_main,
            root: Cell::new(ptr::null()),
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
        self.family.of_type == TypeId::of::<V>()
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

    pub(super) fn set_erased(&self, erased: *const dyn Erased) {
        self.erased.set(Some(erased));
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
