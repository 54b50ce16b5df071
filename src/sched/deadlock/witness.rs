//! Whether another thread may yet wake a fiber: what tells a deadlock from a wait for another thread.
//!
//! Each sleep without a deadline asks that, and one fiber that may be woken is answer enough. So the last
//! few that were found are looked at first, and the others only when none of these will do. Nothing is
//! kept up to date when fibers wait and go on, for that would cost each of them something.
//!
//! ```text
//!   recent: [ unparker of #7 | lock that #9 waits for | ]   still true? -- yes --> wait
//!      no: from where the last look ended:  #8 #9 .. #6, then shared choices, then locks and channels
//! ```
//!
//! Invariants:
//! - A witness is looked at again each time, and never believed.
//! - The list of fibers that others may reach is at most twice as long as it must be.

use crate::collections::slot_table::{Key, SlotTable};
use crate::fiber::header::FiberPtr;
use crate::fiber::state::State;
use crate::sched::core::choose;
use crate::sched::core::park::PARK;
use crate::sched::core::pause;
use crate::sched::core::scheduler::Scheduler;

/// Why a wait without a deadline is no deadlock.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
enum Witness {
    /// A fiber of which others have an unparker, or another handle.
    Reachable(Key),
    /// A fiber in a choice over something that threads share.
    Chooser(Key),
    /// A wait that others may complete, by its place in the scheduler's list.
    Outside(Key),
}

/// See the file's head.
#[derive(Debug)]
pub(crate) struct Witnesses {
    /// The last that were found, the latest first.
    recent: [Option<Witness>; RECENT],
    /// Fibers that others may hold a handle of.
    reachable: Vec<Key>,
    /// Where in `reachable` the next look begins.
    next: usize,
    /// How long `reachable` may get before those that are gone are taken out.
    sweep_at: usize,
}

const RECENT: usize = 4;
const FIRST_SWEEP: usize = 64;

impl Witnesses {
    pub(crate) const fn new() -> Witnesses {
        Witnesses { recent: [None; RECENT], reachable: Vec::new(), next: 0, sweep_at: FIRST_SWEEP }
    }

    /// Puts `witness` in front of those that were there.
    fn remember(&mut self, witness: Witness) {
        let before = self.recent.iter().position(|known| *known == Some(witness));
        let end = before.unwrap_or(RECENT - 1);
        self.recent[..=end].rotate_right(1);
        self.recent[0] = Some(witness);
    }

    /// Takes those out of the list that no other thread can reach any more.
    #[cold]
    fn sweep(&mut self, table: &SlotTable<FiberPtr>) {
        self.reachable.retain(|&key| table.get(key).is_some_and(|fiber| stays_listed(*fiber)));
        self.sweep_at = FIRST_SWEEP.max(self.reachable.len() * 2);
    }

    /// Looks for a fiber that others may wake, from where the last look has ended, once round.
    fn find_reachable(
        &mut self,
        table: &SlotTable<FiberPtr>,
        is_waiting: impl Fn(FiberPtr) -> bool,
    ) -> Option<Witness> {
        let mut left = self.reachable.len();
        while 0 < left {
            left -= 1;
            if self.reachable.len() <= self.next {
                self.next = 0;
            }
            let key = self.reachable[self.next];
            match table.get(key) {
                Some(&fiber) if stays_listed(fiber) => {
                    if is_waiting(fiber) {
                        return Some(Witness::Reachable(key));
                    }
                    self.next += 1;
                }
                _ => {
                    self.reachable.swap_remove(self.next);
                }
            }
        }
        None
    }
}

/// Whether others have a handle of `fiber`. If none has, it is not listed any more.
fn stays_listed(fiber: FiberPtr) -> bool {
    fiber.with_extra(|extra| {
        let mut tokens = extra.unparkers.iter().chain(&extra.commanders);
        extra.reachable = tokens.any(|token| token.is_held());
        extra.reachable
    })
}

impl Scheduler {
    /// Lists `fiber` among those that others may reach.
    pub(crate) fn note_reachable(&self, fiber: FiberPtr) {
        if fiber.with_extra(|extra| std::mem::replace(&mut extra.reachable, true)) {
            return;
        }
        let mut witnesses = self.witnesses.borrow_mut();
        if witnesses.sweep_at <= witnesses.reachable.len() {
            witnesses.sweep(&self.table.borrow());
        }
        witnesses.reachable.push(fiber.key.get());
    }

    /// Whether another thread may yet wake a fiber that waits now, or has just done so.
    pub(crate) fn outsiders_may_wake(&self) -> bool {
        // The mail is looked at last: a handle that is gone by now has posted before it went.
        self.find_witness() || !self.mailbox.inbox.is_empty()
    }

    /// Like [`outsiders_may_wake`](Scheduler::outsiders_may_wake), but not by the release of a lock.
    pub(crate) fn outsiders_may_wake_without_locks(&self) -> bool {
        let reachable = || self.find_reachable().is_some();
        reachable() || self.others_may_complete_no_lock() || !self.mailbox.inbox.is_empty()
    }

    fn find_reachable(&self) -> Option<Witness> {
        let is_waiting = |fiber| self.is_waiting_for_a_handle(fiber);
        self.witnesses.borrow_mut().find_reachable(&self.table.borrow(), is_waiting)
    }

    /// Whether a handle that others have could end what `fiber` does now.
    fn is_waiting_for_a_handle(&self, fiber: FiberPtr) -> bool {
        // An unpark ends no wait but `park`.
        let parked = std::ptr::eq(fiber.reason.get(), &PARK);
        let obeys = self.obeys_orders(fiber);
        let held = fiber.peek_extra(|extra| {
            obeys && extra.commanders.as_ref().is_some_and(|token| token.is_held())
                || parked && extra.unparkers.as_ref().is_some_and(|token| token.is_held())
        });
        held == Some(true) && fiber.state.get() != State::Retired
    }

    /// Whether anything that other threads may ask of `fiber` can change what it does. When `run` ends nothing
    /// is thrown any more, and all are killed: then they can only put back one that is out of the ring.
    fn obeys_orders(&self, fiber: FiberPtr) -> bool {
        let is_ending =
            self.closing.get() && (fiber.killed.get() || self.main.get() == Some(fiber));
        !is_ending || pause::is_floating(fiber)
    }

    fn find_witness(&self) -> bool {
        let recent = self.witnesses.borrow().recent;
        let known = recent.into_iter().flatten().find(|witness| self.stands(*witness));
        let found = known.or_else(|| {
            let reachable = self.find_reachable();
            let chooser = || choose::find_shared(self).map(Witness::Chooser);
            let outside = || self.find_outside().map(Witness::Outside);
            reachable.or_else(chooser).or_else(outside)
        });
        if let Some(found) = found {
            self.witnesses.borrow_mut().remember(found);
        }
        found.is_some()
    }

    /// Whether `witness`, which was found some time ago, is one now.
    fn stands(&self, witness: Witness) -> bool {
        match witness {
            Witness::Reachable(key) => {
                self.fiber_of(key).is_some_and(|fiber| self.is_waiting_for_a_handle(fiber))
            }
            Witness::Chooser(key) => self.fiber_of(key).is_some_and(choose::is_shared),
            Witness::Outside(key) => self.others_may_complete(key),
        }
    }
}
