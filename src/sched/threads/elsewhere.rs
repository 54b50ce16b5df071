//! Whether something elsewhere, on another thread or outside of `run`, may end a wait for a lock.

use crate::sched::core::scheduler::scheduler;
use crate::sched::shared::holder::{Holder, Needs};
use crate::sched::shared::owner::Owner;
use crate::sched::shared::registry::{self, Party};

impl Owner {
    /// Whether it is neither a fiber of this thread's scheduler nor the thread itself.
    pub(crate) fn is_elsewhere(self) -> bool {
        let id = scheduler().map_or(0, |sched| sched.id);
        self.scheduler() != id && self != Owner::this_thread()
    }

    /// Whether it is of a run that is over, and holds what it holds forever.
    pub(crate) fn is_gone(self) -> bool {
        !self.is_thread() && !registry::is_alive(self.scheduler())
    }

    /// Whether something elsewhere may yet release what it holds.
    pub(crate) fn may_release_elsewhere(self) -> bool {
        self.is_elsewhere() && !self.is_gone()
    }
}

impl Needs {
    /// Whether something other than the fibers of this thread may end the wait.
    pub(crate) fn may_be_met_elsewhere(&self) -> bool {
        let by_holder = match (self.holder, self.holder.owner()) {
            (_, Some(owner)) => owner.may_release_elsewhere(),
            (Holder::Readers(readers), None) => !readers.are_here,
            (Holder::One(_), None) => unreachable!("one has an owner"),
        };
        by_holder
            || !self.ahead.is_empty()
                && self.ahead.iter().all(|owner| owner.may_release_elsewhere())
    }

    /// The same, for the registry: each group would end it.
    pub(crate) fn groups(&self, scheduler: u32) -> Vec<Vec<Party>> {
        let party = |owner: Owner| match owner {
            owner if !owner.is_thread() => Party::Owner(owner),
            owner if owner.is_elsewhere() => Party::Anyone,
            // Below the call of `run`; or one of its fibers has the guard.
            _ => Party::FibersOf(scheduler),
        };
        let by_holder = match (self.holder, self.holder.owner()) {
            (_, Some(owner)) => party(owner),
            (Holder::Readers(readers), None) if readers.are_here => Party::FibersOf(scheduler),
            _ => Party::Anyone,
        };
        let mut groups = vec![vec![by_holder]];
        if !self.ahead.is_empty() {
            groups.push(self.ahead.iter().map(|&owner| party(owner)).collect());
        }
        groups
    }
}
