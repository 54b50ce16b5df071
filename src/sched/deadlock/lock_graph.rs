//! The fibers that wait for locks and the holders of those locks, for dumps and deadlock reports.
//!
//! The graph is built only when a dump or a report is made. Waits and locks do no work for it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::fiber::header::{FiberPtr, FiberRef};
use crate::sched::core::end;
use crate::sched::core::scheduler::Scheduler;
use crate::sched::shared::holder::{Holder, Readers};
use crate::sched::shared::outside::OutsideWait;
use crate::sched::shared::owner::Owner;
use crate::sched::shared::registry;

/// The fibers of a scheduler, and the holder of the lock that each of them waits for.
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

    /// Describes the holder of the lock that `fiber` waits for, as the end of the sentence
    /// "held by ...". Returns `None` if `fiber` does not wait for a lock.
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

    /// Returns the holder of the lock that `fiber` waits for, if it is one fiber of another
    /// scheduler.
    pub(crate) fn elsewhere(&self, fiber: &FiberRef) -> Option<Owner> {
        let owner = self.waits.get(&Owner::of_fiber(fiber.id()))?.owner()?;
        (owner.scheduler() != 0 && owner.scheduler() != self.scheduler).then_some(owner)
    }

    /// Describes the fibers of a circle, each of which waits for a lock that the next one holds.
    /// Returns the circle that `first` is in or waits for, if there is one; otherwise any other; or
    /// nothing.
    pub(crate) fn cycle(&self, first: &FiberRef) -> Vec<String> {
        let first = Owner::of_fiber(first.id());
        let mut seen = HashMap::new();
        let starts = std::iter::once(&first).chain(&self.waiting);
        let cycle = starts.enumerate().find_map(|(n, &start)| self.walk(start, n, &mut seen));
        cycle.unwrap_or_default().into_iter().map(|owner| self.describe(owner)).collect()
    }

    /// Walks from `start` to the holder of its lock, and so on. Returns the cycle that this walk
    /// closes. `seen` holds the owners visited so far, each with the number of its `walk`.
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
            _ if owner == Owner::TASK => "a task",
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

/// Returns the fibers that wait for locks, each with the holder of its lock.
fn waits_for_locks(sched: &Scheduler) -> Vec<(FiberPtr, Holder)> {
    let outside = sched.outside.waits.borrow();
    let waits = outside.iter().map(|(_, listed)| listed.wait());
    let of_a_lock = |wait: &dyn OutsideWait| {
        let fiber = sched.fiber_of(wait.ticket().key())?;
        Some((fiber, wait.holder()?))
    };
    waits.filter(|wait| sched.is_in(*wait)).filter_map(of_a_lock).collect()
}
