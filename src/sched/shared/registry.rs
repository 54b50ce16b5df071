//! All schedulers of the process: which of them live, how to reach them, and which of their fibers wait
//! for which locks.
//!
//! ```text
//!   scheduler                              registry
//!   made, dropped   ---------------------> enrol, leave: a number that is not here is of a run that is over
//!   long in waits for locks: look -------> what waits, for whom (as read now), since when
//!   one of these waits ends -------------> withdraw
//!   nothing but locks can wake it -------> closed, until it wakes
//! ```
//!
//! A lock is released by the fiber that took it, or if a guard was handed on, by another of the same
//! scheduler. So a wait can never end if all that it waits for are waits that can never end; fibers of
//! schedulers that are closed and have none but such waits; or fibers of a run that is over.
//!
//! Invariants:
//! - Each look takes a stamp first, then reads the locks, then posts what it has read. A wait is `since`
//!   the first stamp at which it was posted. "X waits for Y" is believed if X was read when Y waited
//!   already: then Y has not released anything since, as its wait is withdrawn before it goes on.
//! - Readings that are too old to be believed are not trusted to be harmless either: their scheduler is
//!   asked to look again, also if it is the one that looks, and asks on in its turn. As each look has a
//!   newer stamp than all waits before, that ends.
//! - A wait that is chosen to fail is withdrawn under the same lock. So of the schedulers in a circle one
//!   fails.
//! - Nothing under the lock of the registry takes the lock of a queue, waits, or runs user code.
//! - A lock that is free is none of its business.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::collections::locked::locked;
use crate::sched::shared::mailbox::Mailbox;
use crate::sched::shared::owner::Owner;

mod graph;
#[cfg(test)]
mod tests;

static TABLE: Mutex<Table> = Mutex::new(Table::new());

/// What a scheduler has read of one wait for a lock.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) waiter: Owner,
    /// Its fiber, for reports.
    pub(crate) name: String,
    /// It ends when all parties of one of these groups have left the lock.
    pub(crate) groups: Vec<Vec<Party>>,
}

/// On whom a wait depends.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Party {
    /// The fiber that took the lock, or the one that stands in line before it.
    Owner(Owner),
    /// Some fibers of this scheduler.
    FibersOf(u32),
    /// Any thread.
    Anyone,
}

/// What a look has found.
#[derive(Debug)]
pub(crate) struct Circle {
    /// Whose wait is to fail.
    pub(crate) victim: Owner,
    /// Fibers each of which waits for the next. Without a circle, if it waits for a run that is over.
    pub(crate) names: Vec<String>,
}

/// Takes in a scheduler. What is returned says whether it was asked to look at its locks.
pub(crate) fn enrol(id: u32, mailbox: &Arc<Mailbox>) -> Arc<AtomicBool> {
    let asked = Arc::new(AtomicBool::new(false));
    let entry =
        Entry { mailbox: mailbox.clone(), asked: asked.clone(), asked_for: 0, closed: None };
    table().schedulers.insert(id, entry);
    asked
}

/// The scheduler goes: what its fibers still hold is held forever.
pub(crate) fn leave(id: u32) {
    let mut table = table();
    // Its last reference may be this one: it is dropped without the lock.
    let gone = table.schedulers.remove(&id);
    table.waits.retain(|waiter, _| waiter.scheduler() != id);
    let interested = table.waits.keys().map(|waiter| waiter.scheduler()).collect();
    let stamp = table.stamp;
    let asked = table.ask(&interested, stamp);
    drop(table);
    drop(gone);
    asked.iter().for_each(|mailbox| mailbox.nudge());
}

/// Whether the scheduler of this number exists.
pub(crate) fn is_alive(id: u32) -> bool {
    table().schedulers.contains_key(&id)
}

/// The way into the scheduler of this number, if it still is.
pub(crate) fn mailbox(id: u32) -> Option<Arc<Mailbox>> {
    table().schedulers.get(&id).map(|entry| entry.mailbox.clone())
}

/// How the fiber is called in reports, if it waits for a lock and its scheduler has said so.
pub(crate) fn name(waiter: Owner) -> Option<String> {
    table().waits.get(&waiter).map(|wait| wait.reading.name.clone())
}

/// Asks a scheduler to look at its locks again: something has changed that it cannot see.
pub(crate) fn ask(id: u32) {
    let mut table = table();
    table.stamp += 1;
    let stamp = table.stamp;
    let asked = table.ask(&BTreeSet::from([id]), stamp);
    drop(table);
    asked.iter().for_each(|mailbox| mailbox.nudge());
}

/// Begins a look: the locks are read after this.
pub(crate) fn stamp() -> u64 {
    let mut table = table();
    table.stamp += 1;
    table.stamp
}

/// The wait is over, or is read no more.
pub(crate) fn withdraw(waiter: Owner) {
    table().waits.remove(&waiter);
}

/// The scheduler has woken: something but a lock may happen in it.
pub(crate) fn open(id: u32) {
    if let Some(entry) = table().schedulers.get_mut(&id) {
        entry.closed = None;
    }
}

/// Posts what the scheduler `id` has read since `stamp`, and looks for waits of its fibers that can never
/// end. Of these `choose` takes one that can be made to fail. It `has_news` unless others have asked for
/// this.
pub(crate) fn look(
    id: u32,
    stamp: u64,
    has_news: bool,
    closed: bool,
    readings: Vec<Reading>,
    choose: impl FnOnce(&[Owner]) -> Option<Owner>,
) -> Option<Circle> {
    let mut table = table();
    table.post(id, stamp, closed, readings);
    let reached = table.reached_from(id);
    // The waits that are new here make all older readings stale; if the look was asked for, those do for
    // whose sake it was.
    let asked_for = table.schedulers.get(&id).map_or(0, |entry| entry.asked_for);
    let cause = if has_news { stamp } else { asked_for };
    let newest = table.newest_of(&reached).max(cause);
    // Its own are stale if another look has come between their reading and this.
    let stale = |waiter: &&Owner| table.waits[waiter].read_at < newest;
    let mut to_ask: BTreeSet<u32> = reached.iter().filter(stale).map(|w| w.scheduler()).collect();
    let stuck = table.stuck(reached);
    let worth = table.worth_failing(&stuck);
    let candidates: Vec<Owner> =
        worth.into_iter().filter(|waiter| waiter.scheduler() == id).collect();
    let victim = if candidates.is_empty() { None } else { choose(&candidates) };
    let circle = victim.map(|victim| {
        let names = table.circle_of(victim, &stuck, id);
        table.waits.remove(&victim);
        table.schedulers.entry(id).and_modify(|entry| entry.closed = None);
        Circle { victim, names }
    });
    if circle.is_none() && !candidates.is_empty() {
        // Perhaps one of the others can fail. They do not ask back: they have read nothing new.
        let is_new = |waiter: &&Owner| table.waits[waiter].asked_at < newest;
        let others: Vec<Owner> = stuck
            .iter()
            .filter(|waiter| waiter.scheduler() != id)
            .filter(is_new)
            .copied()
            .collect();
        for other in others {
            to_ask.insert(other.scheduler());
            table.waits.entry(other).and_modify(|wait| wait.asked_at = newest);
        }
    }
    let asked = table.ask(&to_ask, newest);
    drop(table);
    asked.iter().for_each(|mailbox| mailbox.nudge());
    circle
}

struct Table {
    stamp: u64,
    schedulers: BTreeMap<u32, Entry>,
    waits: BTreeMap<Owner, Wait>,
}

struct Entry {
    mailbox: Arc<Mailbox>,
    asked: Arc<AtomicBool>,
    /// The newest stamp for whose sake it was asked.
    asked_for: u64,
    /// Since when nothing but the release of a lock can wake it.
    closed: Option<u64>,
}

struct Wait {
    reading: Reading,
    read_at: u64,
    since: u64,
    /// Since of the newest wait for whose sake its scheduler was asked to fail.
    asked_at: u64,
}

impl Table {
    const fn new() -> Table {
        Table { stamp: 0, schedulers: BTreeMap::new(), waits: BTreeMap::new() }
    }

    fn post(&mut self, id: u32, stamp: u64, closed: bool, readings: Vec<Reading>) {
        for reading in readings {
            let waiter = reading.waiter;
            let before = self.waits.get(&waiter);
            let (since, asked_at) = before.map_or((stamp, 0), |wait| (wait.since, wait.asked_at));
            self.waits.insert(waiter, Wait { reading, read_at: stamp, since, asked_at });
        }
        if let Some(entry) = self.schedulers.get_mut(&id) {
            entry.closed = closed.then(|| entry.closed.unwrap_or(stamp));
        }
    }

    /// When the youngest of these waits began, or the last of their schedulers closed. Who was read before
    /// that may depend on others by now.
    fn newest_of(&self, waits: &BTreeSet<Owner>) -> u64 {
        let closed = |waiter: &Owner| self.schedulers.get(&waiter.scheduler())?.closed;
        let newest = |waiter: &Owner| self.waits[waiter].since.max(closed(waiter).unwrap_or(0));
        waits.iter().map(newest).max().unwrap_or(0)
    }

    fn waits_of(&self, id: u32) -> impl Iterator<Item = (&Owner, &Wait)> {
        self.waits.range(Owner::first_of(id)..=Owner::last_of(id))
    }

    /// Notes that these schedulers are to look again, for what is as new as `newest`. Whom to nudge, without the lock.
    fn ask(&mut self, ids: &BTreeSet<u32>, newest: u64) -> Vec<Arc<Mailbox>> {
        let mut mailboxes = Vec::new();
        for id in ids {
            if let Some(entry) = self.schedulers.get_mut(id) {
                entry.asked.store(true, Ordering::SeqCst);
                entry.asked_for = entry.asked_for.max(newest);
                mailboxes.push(entry.mailbox.clone());
            }
        }
        mailboxes
    }
}

fn table() -> MutexGuard<'static, Table> {
    locked(&TABLE)
}
