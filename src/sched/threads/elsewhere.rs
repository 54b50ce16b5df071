//! The check whether something elsewhere, on another thread or outside of `run`, may end a wait for
//! a lock.

use crate::sched::core::scheduler::scheduler;
use crate::sched::shared::holder::{Holder, Needs};
use crate::sched::shared::owner::Owner;
use crate::sched::shared::registry::{self, Party};

impl Owner {
    /// Returns whether it is neither a fiber of this thread's scheduler nor the thread itself.
    pub(crate) fn is_elsewhere(self) -> bool {
        let id = scheduler().map_or(0, |sched| sched.id);
        self.scheduler() != id && self != Owner::this_thread()
    }

    /// Returns whether it belongs to a `run` that is over, and so holds its locks forever.
    pub(crate) fn is_gone(self) -> bool {
        !self.is_thread() && !registry::is_alive(self.scheduler())
    }

    /// Returns whether something elsewhere may still release the locks that it holds.
    pub(crate) fn may_release_elsewhere(self) -> bool {
        self.is_elsewhere() && !self.is_gone()
    }
}

impl Needs {
    /// Returns whether something other than the fibers of this thread may end the wait.
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

    /// Returns the parties that the wait depends on, for the registry of schedulers. The wait ends
    /// when all parties of any one group have left the lock.
    pub(crate) fn groups(&self, scheduler: u32) -> Vec<Vec<Party>> {
        let party = |owner: Owner| match owner {
            owner if !owner.is_thread() => Party::Owner(owner),
            owner if owner.is_elsewhere() => Party::Anyone,
            // The guard is held by code that is suspended in the call of `run`, or was handed on to
            // one of the fibers.
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
