//! The header of a greenlet: what is known of it without the type of the values that it exchanges.
//!
//! Invariants:
//! - `handles` counts the values of type [`Greenlet`](crate::greenlet::Greenlet).
//! - A killer is recorded in its victim for as long as it waits for the victim's end, and no
//!   longer.

use std::any::{self, TypeId};
use std::cell::{Cell, OnceCell, RefCell};
use std::ptr;
use std::rc::Rc;
use std::thread;

use crate::fiber::coroutine::{Coroutine, State};
use crate::greenlet::context::Context;
use crate::greenlet::core::Erased;
use crate::greenlet::locals::GreenletLocals;
use crate::greenlet::trace::{GreenletId, LazyId};
use crate::stack::SizeClass;

/// The type of the values that a greenlet exchanges.
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

/// The part of a greenlet's record that does not depend on its family.
pub(super) struct Header {
    pub(super) coroutine: Coroutine,
    /// The type of the values that the greenlet exchanges.
    pub(super) family: Family,
    pub(super) is_main: bool,
    /// The main greenlet of the same context and family: for a main greenlet, itself. Null before
    /// the greenlet starts.
    pub(super) root: Cell<*const Header>,
    /// The context of the frame in which the greenlet has started. Empty before that.
    pub(super) context: OnceCell<Rc<Context>>,
    /// The number of handles, including those in the parent links of children.
    pub(super) handles: Cell<usize>,
    /// The greenlet that has dropped the last handle and waits for the end of this one.
    pub(super) killer: Cell<Killer>,
    /// Whether this is a main greenlet that was left while the thread unwound.
    pub(super) main_unwinds: Cell<bool>,
    /// Whether the greenlet waits for the end of one that it kills, and accepts any message.
    pub(super) kills: Cell<bool>,
    /// The whole record. Set when the greenlet starts.
    erased: Cell<Option<*const dyn Erased>>,
    /// The stack class that was asked for.
    pub(super) asked: SizeClass,
    id: LazyId,
    pub(super) locals: RefCell<Option<GreenletLocals>>,
}

/// The greenlet that waits for the end of another one without a handle to it.
#[derive(Copy, Clone)]
pub(super) enum Killer {
    Nobody,
    Main,
    /// Alive while it is recorded here: it removes itself before it leaves the wait.
    Other(*const dyn Erased),
}

impl Header {
    pub(super) fn new(class: SizeClass, family: Family, is_main: bool) -> Header {
        Header {
            coroutine: Coroutine::new(class, true),
            family,
            is_main,
            root: Cell::new(ptr::null()),
            context: OnceCell::new(),
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

    /// Returns the identity of the greenlet. The main greenlets of all families of a context have
    /// the same.
    pub(super) fn id(&self) -> GreenletId {
        match self.context.get() {
            Some(context) if self.is_main => context.main_id.get(),
            _ => self.id.get(),
        }
    }

    /// Returns the whole record, if the greenlet has started.
    pub(super) fn erased(&self) -> Option<*const dyn Erased> {
        self.erased.get()
    }

    pub(super) fn set_erased(&self, erased: *const dyn Erased) {
        self.erased.set(Some(erased));
    }

    pub(super) fn is_dead(&self) -> bool {
        match self.coroutine.state() {
            State::Ended | State::Abandoned => true,
            _ => self.is_main && self.context.get().is_some_and(|context| context.is_closed()),
        }
    }

    pub(super) fn is_unstarted(&self) -> bool {
        self.coroutine.state() == State::Fresh && !self.is_main
    }

    #[inline(always)]
    pub(super) fn is_suspended(&self) -> bool {
        self.coroutine.state() == State::Suspended
    }

    /// Returns whether something can be raised in the greenlet, which waits or has just been
    /// resumed. Nothing can be raised if it was left while the thread unwound and the thread still
    /// does, because it may be in a destructor. (std does not tell which stack unwinds, and a
    /// mistake would abort the process.)
    pub(super) fn can_raise(&self) -> bool {
        let left_in_unwind = if self.is_main {
            self.main_unwinds.get() && thread::panicking()
        } else {
            self.coroutine.was_left_in_unwind()
        };
        !cfg!(panic = "abort") && !left_in_unwind
    }

    /// Returns whether the greenlet is the one whose code calls this.
    pub(super) fn is_current(&self) -> bool {
        self.runs() && self.context.get().is_some_and(|context| context.frame.is_current())
    }

    /// Returns whether the greenlet is the current one of another fiber, which is suspended.
    pub(super) fn runs_elsewhere(&self) -> bool {
        self.runs() && self.context.get().is_some_and(|context| !context.frame.is_current())
    }

    /// Returns whether the greenlet is the current one of its frame.
    fn runs(&self) -> bool {
        let Some(context) = self.context.get().filter(|context| !context.is_closed()) else {
            return false;
        };
        context.current().map_or(self.is_main, |current| ptr::eq(current, self))
    }
}
