//! Who a greenlet's ancestors are, and where it stands: what decides where a value goes.
//!
//! Invariants:
//! - An unstarted greenlet belongs to the world of its nearest ancestor that has one (G-029, G-077); a
//!   started one to that in which it started.
//! - No chain of parents has a cycle. Where it has an end that is not main, main follows.

#![allow(unsafe_code, reason = "follows the pointer to a killer")]

use std::ptr;
use std::rc::Rc;

use crate::fiber::strand::State;
use crate::greenlet::core::Core;
use crate::greenlet::head::Killer;
use crate::greenlet::world::World;

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

impl<V: 'static> Core<V> {
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

    /// Its parent's record; main if it has none, for the world that runs.
    pub(super) fn parent_in(&self, world: &Rc<World>) -> Rc<Core<V>> {
        self.parent().unwrap_or_else(|| world.main())
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
}
