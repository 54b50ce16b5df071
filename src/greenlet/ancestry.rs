//! The ancestors of a greenlet, and its state as seen from a context: what determines where a value
//! goes.
//!
//! Invariants:
//! - An unstarted greenlet belongs to the context of its nearest ancestor that has one; a started
//!   greenlet belongs to the context in which it started.
//! - No chain of parents has a cycle. If the last greenlet of a chain is not main, main follows it.

#![allow(unsafe_code, reason = "follows the pointer to a killer")]

use std::ptr;
use std::rc::Rc;

use crate::fiber::coroutine::State;
use crate::greenlet::context::Context;
use crate::greenlet::core::Core;
use crate::greenlet::header::Killer;

/// The state of a greenlet, as seen from the context whose code runs.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) enum Life {
    Unstarted,
    /// It waits, and can be switched to.
    Waiting,
    Current,
    Dead,
    /// Main, which waits for values of another family.
    WaitsForOtherType,
    Elsewhere,
}

impl<V: 'static> Core<V> {
    /// Returns the context that the greenlet belongs to; for an unstarted one, that of its nearest
    /// ancestor that has one.
    pub(super) fn context(self: &Rc<Self>) -> Option<Rc<Context>> {
        let mut at = self.clone();
        loop {
            if let Some(context) = at.header.context.get() {
                return Some(context.clone());
            }
            at = at.parent()?;
        }
    }

    /// Returns the record of the parent; if there is none, that of main in `context`, whose code
    /// runs.
    pub(super) fn parent_in(&self, context: &Rc<Context>) -> Rc<Core<V>> {
        self.parent().unwrap_or_else(|| context.main())
    }

    /// Returns the greenlet itself, or its nearest ancestor that is not dead.
    pub(super) fn living(self: &Rc<Self>, context: &Rc<Context>) -> Rc<Core<V>> {
        let mut at = self.clone();
        while at.header.is_dead() {
            at = at.parent_in(context);
        }
        at
    }

    /// Returns the greenlet that kills this one because its last handle was dropped, or main if
    /// that one belongs to another family.
    pub(super) fn killer(&self) -> Option<Rc<Core<V>>> {
        match self.header.killer.get() {
            Killer::Nobody => None,
            Killer::Main => self.main.get().cloned(),
            Killer::Other(killer) => {
                // SAFETY: a killer is alive while it is recorded here.
                let same_family = unsafe { &*killer }.header().is_of::<V>();
                if !same_family {
                    return self.main.get().cloned();
                }
                let killer: *const Core<V> = killer.cast();
                // SAFETY: the pointer came from an `Rc` of this very type, as the family shows, and
                // the roster keeps one; the count that is added is that of the reference which
                // `from_raw` makes.
                unsafe {
                    Rc::increment_strong_count(killer);
                    Some(Rc::from_raw(killer))
                }
            }
        }
    }

    /// Returns whether the greenlet is `other`, or an ancestor of `other`.
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

    /// Returns whether `other` belongs to the context of this greenlet, or one of the two has none
    /// yet.
    pub(super) fn shares_context_with(self: &Rc<Self>, other: &Rc<Self>) -> bool {
        let (own, its) = (self.context(), other.context());
        own.zip(its).is_none_or(|(own, its)| Rc::ptr_eq(&own, &its))
    }

    /// Returns the state of the greenlet as seen from `context`, whose code runs.
    pub(super) fn life(self: &Rc<Self>, context: &Rc<Context>) -> Life {
        let here = self.context().is_none_or(|own| Rc::ptr_eq(&own, context));
        match self.header.coroutine.state() {
            State::Ended | State::Abandoned => Life::Dead,
            _ if !here => Life::Elsewhere,
            State::Fresh if self.header.is_main => self.life_of_main(context),
            State::Fresh => Life::Unstarted,
            State::Suspended => Life::Waiting,
            State::Running => Life::Current,
        }
    }

    fn life_of_main(&self, context: &Context) -> Life {
        if context.current().is_none() {
            return Life::Current;
        }
        if context.main_kills.get() || ptr::eq(context.main_waits.get(), &raw const self.header) {
            return Life::Waiting;
        }
        Life::WaitsForOtherType
    }
}
