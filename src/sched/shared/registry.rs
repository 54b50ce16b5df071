//! The registry of all schedulers of the process: which of them live, how to reach them, and which
//! of their fibers wait for which locks.
//!
//! ```text
//!   scheduler                             registry
//!   created, dropped   -----------------> enrol, leave: a number without an entry
//!                                            belongs to a `run` that is over
//!   has waited long for locks: look ----> each wait, the owners it depends on
//!                                            (as read now), and since when
//!   one of these waits ends ------------> withdraw
//!   only locks can wake it -------------> closed, until it wakes
//! ```
//!
//! A lock is released by the fiber that took it or, if its guard was handed on, by another fiber of
//! the same scheduler. So a wait can never end if everything that it depends on is one of these:
//! - a fiber in a wait that can never end;
//! - fibers of a scheduler that is closed and has only waits that can never end;
//! - a fiber of a `run` that is over.
//!
//! Invariants:
//! - Each look first takes a stamp, then reads the locks, then posts the readings. `since` of a
//!   wait is the first stamp at which it was posted. "X waits for Y" is believed if Y already
//!   waited when X was read: then Y has not released anything since, because its wait is withdrawn
//!   before Y resumes.
//! - Readings that are too old to be believed are not assumed to be harmless either: their
//!   scheduler is asked to look again, even if it is the one that looks, and it may ask others in
//!   turn. This terminates, because each look has a newer stamp than all waits posted before.
//! - A wait that is chosen to fail is withdrawn in the same critical section. So only one of the
//!   schedulers in a circle fails a wait.
//! - Code that holds the lock of the registry takes no lock of a queue, does not wait, and runs no
//!   user code.
//! - A lock that is free when its waiters are read has a first waiter, which was woken and is about
//!   to look at the lock. That wait does not appear here. The others are posted as waits for the
//!   first waiter: it holds nothing, but it moves before they do. If it finds the lock taken again,
//!   its own scheduler looks again.

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

/// One wait for a lock, as its scheduler has read it.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) waiter: Owner,
    /// The description of its fiber, for reports.
    pub(crate) name: String,
    /// The groups of parties that it waits for. It ends when all parties of one group have left the
    /// lock.
    pub(crate) groups: Vec<Vec<Party>>,
}

/// One of the parties on which a wait depends.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Party {
    /// The fiber that took the lock, or one that is ahead of the waiter in the queue.
    Owner(Owner),
    /// Some fibers of this scheduler.
    FibersOf(u32),
    /// Any thread.
    Anyone,
}

/// The result of a look that has found a wait which can never end.
#[derive(Debug)]
pub(crate) struct Circle {
    /// The fiber whose wait must fail.
    pub(crate) victim: Owner,
    /// The names of the fibers in the circle, each of which waits for the next one. Empty if the
    /// victim is in no circle, but waits for a `run` that is over.
    pub(crate) names: Vec<String>,
}

/// Adds a scheduler. Returns the flag that is set when others ask it to look at its locks.
pub(crate) fn enrol(id: u32, mailbox: &Arc<Mailbox>) -> Arc<AtomicBool> {
    let asked = Arc::new(AtomicBool::new(false));
    let entry =
        Entry { mailbox: mailbox.clone(), asked: asked.clone(), asked_for: 0, closed: None };
    table().schedulers.insert(id, entry);
    asked
}

/// Removes a scheduler. All locks that its fibers still hold are held forever.
pub(crate) fn leave(id: u32) {
    let mut table = table();
    // This may be the last reference to its mailbox, so it is dropped after the lock is released.
    let gone = table.schedulers.remove(&id);
    table.waits.retain(|waiter, _| waiter.scheduler() != id);
    let interested = table.waits.keys().map(|waiter| waiter.scheduler()).collect();
    let stamp = table.stamp;
    let asked = table.ask(&interested, stamp);
    drop(table);
    drop(gone);
    asked.iter().for_each(|mailbox| mailbox.nudge());
}

/// Returns whether the scheduler with the number `id` exists.
pub(crate) fn is_alive(id: u32) -> bool {
    table().schedulers.contains_key(&id)
}

/// Returns the mailbox of the scheduler with the number `id`, if it still exists.
pub(crate) fn mailbox(id: u32) -> Option<Arc<Mailbox>> {
    table().schedulers.get(&id).map(|entry| entry.mailbox.clone())
}

/// Returns the name of the fiber for reports, if it waits for a lock and its scheduler has posted
/// that wait.
pub(crate) fn name(waiter: Owner) -> Option<String> {
    table().waits.get(&waiter).map(|wait| wait.reading.name.clone())
}

/// Asks a scheduler to look at its locks again, because something has changed that it cannot see.
pub(crate) fn ask(id: u32) {
    let mut table = table();
    table.stamp += 1;
    let stamp = table.stamp;
    let asked = table.ask(&BTreeSet::from([id]), stamp);
    drop(table);
    asked.iter().for_each(|mailbox| mailbox.nudge());
}

/// Returns the stamp of a look that begins. The caller must read the locks after this call.
pub(crate) fn stamp() -> u64 {
    let mut table = table();
    table.stamp += 1;
    table.stamp
}

/// Removes the wait of `waiter`, which is over or is no longer read.
pub(crate) fn withdraw(waiter: Owner) {
    table().waits.remove(&waiter);
}

/// Notes that the scheduler is no longer closed: it has woken, and its fibers can run.
pub(crate) fn open(id: u32) {
    if let Some(entry) = table().schedulers.get_mut(&id) {
        entry.closed = None;
    }
}

/// Posts what the scheduler `id` has read since `stamp`, and looks for waits of its fibers that can
/// never end. `choose` picks one of them that can be made to fail. `has_news` is `false` if the
/// scheduler looks only because others have asked for it.
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
    // Readings older than the newest change are stale. New waits of this scheduler are such a
    // change; in a look that was only asked for, the change for which it was asked takes their
    // place.
    let asked_for = table.schedulers.get(&id).map_or(0, |entry| entry.asked_for);
    let cause = if has_news { stamp } else { asked_for };
    let newest = table.newest_of(&reached).max(cause);
    // Readings of this scheduler itself are stale if another look came between the reading and now.
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
        // Perhaps a wait of another scheduler can fail. Those do not ask back, because they will
        // have read nothing new.
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
    /// The stamp of the newest change for which it was asked to look.
    asked_for: u64,
    /// The stamp since which only the release of a lock can wake it.
    closed: Option<u64>,
}

struct Wait {
    reading: Reading,
    /// The stamp of the latest look that has read it.
    read_at: u64,
    /// The stamp of the first look that has posted it.
    since: u64,
    /// The stamp of the newest change for which its scheduler was asked to fail this wait.
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

    /// Returns the stamp at which the youngest of these waits began, or the last of their
    /// schedulers closed. A wait that was read before that may depend on other owners by now.
    fn newest_of(&self, waits: &BTreeSet<Owner>) -> u64 {
        let closed = |waiter: &Owner| self.schedulers.get(&waiter.scheduler())?.closed;
        let newest = |waiter: &Owner| self.waits[waiter].since.max(closed(waiter).unwrap_or(0));
        waits.iter().map(newest).max().unwrap_or(0)
    }

    fn waits_of(&self, id: u32) -> impl Iterator<Item = (&Owner, &Wait)> {
        self.waits.range(Owner::first_of(id)..=Owner::last_of(id))
    }

    /// Asks these schedulers to look again, for a change as new as `newest`. Returns the mailboxes
    /// that the caller must nudge after it has released the lock.
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
