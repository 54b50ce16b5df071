//! Which fibers wait for locks, and who holds those: for dumps and deadlock reports.
//!
//! A picture: it is made when somebody wants to look, and costs waits and locks nothing.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::fiber::header::FiberRef;
use crate::sched::core::end;
use crate::sched::core::scheduler::Scheduler;
use crate::sched::shared::owner::Owner;
use crate::sched::shared::registry::{self, Party};

/// Who holds what a wait is for.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Holder {
    One(Owner),
    Readers(Readers),
}

/// Those that hold a lock together.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Readers {
    pub(crate) count: u32,
    /// One of them, if that is known: of one alone it mostly is.
    pub(crate) first: Option<Owner>,
    /// Whether all of them are of the scheduler that asks.
    pub(crate) are_here: bool,
}

impl Holder {
    /// The one that holds it, if it is one and known.
    fn owner(self) -> Option<Owner> {
        match self {
            Holder::One(owner) => Some(owner),
            Holder::Readers(Readers { count: 1, first, .. }) => first,
            Holder::Readers(_) => None,
        }
    }
}

/// What a wait for a lock depends on.
#[derive(Clone, Debug)]
pub(crate) struct Needs {
    pub(crate) holder: Holder,
    /// Of a reader whom other readers would let in: the writers before it in line. If all of them leave
    /// that, it comes in, too.
    pub(crate) ahead: Vec<Owner>,
}

impl Needs {
    pub(crate) fn one(owner: Owner) -> Needs {
        Needs { holder: Holder::One(owner), ahead: Vec::new() }
    }

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

/// The fibers of a scheduler, and what those of them wait for who wait for a lock.
#[derive(Debug)]
pub(crate) struct LockGraph {
    scheduler: u32,
    fibers: HashMap<Owner, FiberRef>,
    waits: HashMap<Owner, Holder>,
    /// The keys of `waits`, the oldest fiber first.
    waiting: Vec<Owner>,
}

impl LockGraph {
    pub(crate) fn of(sched: &Scheduler) -> LockGraph {
        let mut waits = sched.waits_for_locks();
        waits.sort_unstable_by_key(|(fiber, _)| fiber.id());
        let waits = waits.into_iter().map(|(fiber, holder)| (Owner::of_fiber(fiber.id()), holder));
        let waits: Vec<_> = waits.collect();
        let fibers = if waits.is_empty() { Vec::new() } else { sched.fibers_where(|_| true) };
        let named = |fiber: FiberRef| (Owner::of_fiber(fiber.id()), fiber);
        LockGraph {
            scheduler: sched.id,
            fibers: fibers.into_iter().map(named).collect(),
            waiting: waits.iter().map(|&(owner, _)| owner).collect(),
            waits: waits.into_iter().collect(),
        }
    }

    /// Who holds the lock that `fiber` waits for, as the end of a sentence: "held by ...".
    pub(crate) fn holder(&self, fiber: &FiberRef) -> Option<String> {
        let holder = *self.waits.get(&Owner::of_fiber(fiber.id()))?;
        Some(match holder {
            Holder::One(owner) => self.describe(owner),
            Holder::Readers(Readers { count: 1, first: Some(owner), .. }) => self.describe(owner),
            Holder::Readers(Readers { count: 1, .. }) => String::from("a reader"),
            Holder::Readers(Readers { count, first: Some(first), .. }) => {
                format!("{count} readers, the first of which was {}", self.describe(first))
            }
            Holder::Readers(Readers { count, .. }) => format!("{count} readers"),
        })
    }

    /// Fibers each of which waits for a lock that the next one holds, round in a circle. That which
    /// `first` is in, or waits for, comes before others.
    pub(crate) fn cycle(&self, first: &FiberRef) -> Vec<String> {
        let first = Owner::of_fiber(first.id());
        let mut seen = HashMap::new();
        let starts = std::iter::once(&first).chain(&self.waiting);
        let cycle = starts.enumerate().find_map(|(n, &start)| self.walk(start, n, &mut seen));
        cycle.unwrap_or_default().into_iter().map(|owner| self.describe(owner)).collect()
    }

    /// Walks from `start` to what holds its lock, and so on. Returns the cycle that this closes.
    fn walk(
        &self,
        start: Owner,
        walk: usize,
        seen: &mut HashMap<Owner, usize>,
    ) -> Option<Vec<Owner>> {
        let (mut path, mut at) = (Vec::new(), start);
        loop {
            let next = self.waits.get(&at)?.owner()?;
            match seen.entry(at) {
                Entry::Vacant(place) => place.insert(walk),
                Entry::Occupied(before) if *before.get() != walk => return None,
                Entry::Occupied(_) => {
                    let begin = path.iter().position(|&owner| owner == at)?;
                    return Some(path.split_off(begin));
                }
            };
            path.push(at);
            at = next;
        }
    }

    fn describe(&self, owner: Owner) -> String {
        if let Some(fiber) = self.fibers.get(&owner) {
            return end::describe(fiber);
        }
        String::from(match owner.scheduler() {
            0 if owner.is_elsewhere() => "another thread",
            0 => "the thread that called `run`",
            id if id == self.scheduler => "a fiber that has ended",
            _ if owner.is_gone() => "a fiber of a `run` that is over",
            _ => match registry::name(owner) {
                Some(name) => return format!("{name} of another thread"),
                None => "a fiber of another thread",
            },
        })
    }
}
