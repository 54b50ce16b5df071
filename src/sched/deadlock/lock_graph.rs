//! Which fibers wait for locks, and who holds those: for dumps and deadlock reports.
//!
//! A picture: it is made when somebody wants to look, and costs waits and locks nothing.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::fiber::header::{FiberPtr, FiberRef};
use crate::sched::core::end;
use crate::sched::core::scheduler::Scheduler;
use crate::sched::shared::holder::{Holder, Readers};
use crate::sched::shared::outside::OutsideWait;
use crate::sched::shared::owner::Owner;
use crate::sched::shared::registry;

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
        let mut waits = waits_for_locks(sched);
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

/// The fibers that wait for locks, and who holds those.
fn waits_for_locks(sched: &Scheduler) -> Vec<(FiberPtr, Holder)> {
    let outside = sched.outside.waits.borrow();
    let waits = outside.iter().map(|(_, listed)| listed.wait());
    let of_a_lock = |wait: &dyn OutsideWait| {
        let fiber = sched.fiber_of(wait.ticket().key())?;
        Some((fiber, wait.holder()?))
    };
    waits.filter(|wait| sched.is_in(*wait)).filter_map(of_a_lock).collect()
}
