//! The search for a fiber that another thread may still wake, which distinguishes a deadlock from a
//! wait for another thread.
//!
//! The scheduler searches before each sleep without a deadline, and one such fiber is enough. So
//! the few witnesses found most recently are checked first, and the other fibers only if none of
//! these still stands. Those that wait for something else leave the list of fibers that others may
//! reach, and return to it by their next `park`. No other wait updates anything, because that would
//! cost time in every wait.
//!
//! ```text
//!   recent: [ unparker of #7 | lock that #9 waits for | ]   still true? -- yes --> wait
//!      no: the fibers that others may reach, the last listed first,
//!          then shared choices, then locks and channels
//! ```
//!
//! Invariants:
//! - A witness is checked again before each use, and never trusted.

use crate::collections::slot_table::Key;
use crate::fiber::header::FiberPtr;
use crate::fiber::state::State;
use crate::sched::core::choose;
use crate::sched::core::park::PARK;
use crate::sched::core::pause;
use crate::sched::core::scheduler::Scheduler;
use crate::sched::shared::outside::OutsideWait;
use crate::sched::shared::witnesses::Witness;

impl Scheduler {
    /// Returns whether another thread may still wake a waiting fiber, or has just done so.
    pub(crate) fn outsiders_may_wake(&self) -> bool {
        // The mail is checked last: a handle that is dropped by now has posted before its drop.
        self.find_witness() || !self.mailbox.inbox.is_empty()
    }

    /// Like [`outsiders_may_wake`](Scheduler::outsiders_may_wake), except by releasing a lock.
    pub(crate) fn outsiders_may_wake_without_locks(&self) -> bool {
        let reachable = || self.find_reachable().is_some();
        reachable() || self.others_may_complete_no_lock() || !self.mailbox.inbox.is_empty()
    }

    fn find_reachable(&self) -> Option<Witness> {
        let is_waiting = |fiber| self.is_waiting_for_a_handle(fiber);
        self.witnesses.borrow_mut().find_reachable(&self.table.borrow(), is_waiting)
    }

    /// Returns whether a handle that others hold could end what `fiber` does now.
    fn is_waiting_for_a_handle(&self, fiber: FiberPtr) -> bool {
        // An unpark ends only a wait in `park`.
        let parked = std::ptr::eq(fiber.reason.get(), &PARK);
        let obeys = self.obeys_orders(fiber);
        let held = fiber.peek_extra(|extra| {
            obeys && extra.commanders.as_ref().is_some_and(|token| token.is_held())
                || parked && extra.unparkers.as_ref().is_some_and(|token| token.is_held())
        });
        held == Some(true) && fiber.state.get() != State::Abandoned
    }

    /// Returns whether an order from another thread can change what `fiber` does. While `run`
    /// ends, nothing more is thrown and all fibers are killed: then an order can only put a fiber
    /// back into the ring.
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

    /// Returns whether `witness`, which was found some time ago, is still one.
    fn stands(&self, witness: Witness) -> bool {
        match witness {
            Witness::Reachable(key) => {
                self.fiber_of(key).is_some_and(|fiber| self.is_waiting_for_a_handle(fiber))
            }
            Witness::Chooser(key) => self.fiber_of(key).is_some_and(choose::is_shared),
            Witness::Outside(key) => self.others_may_complete(key),
        }
    }

    /// Returns the key of a wait that another thread may complete.
    pub(crate) fn find_outside(&self) -> Option<Key> {
        let outside = self.outside.waits.borrow();
        let mut all = outside.iter();
        all.find(|(_, listed)| self.is_open(listed.wait())).map(|(key, _)| key)
    }

    /// Returns whether the wait with this key is still listed and another thread may complete it.
    pub(crate) fn others_may_complete(&self, key: Key) -> bool {
        self.outside.waits.borrow().get(key).is_some_and(|listed| self.is_open(listed.wait()))
    }

    fn is_open(&self, wait: &dyn OutsideWait) -> bool {
        self.is_in(wait) && wait.others_exist()
    }

    /// Returns whether another thread may complete one of the waits that are not for locks.
    pub(crate) fn others_may_complete_no_lock(&self) -> bool {
        let may_end = |wait: &dyn OutsideWait| {
            !wait.is_for_a_lock() && self.is_in(wait) && wait.others_exist()
        };
        choose::find_shared(self).is_some()
            || self.outside.waits.borrow().iter().any(|(_, listed)| may_end(listed.wait()))
    }

    /// Returns whether a fiber waits for a lock that is held elsewhere.
    pub(crate) fn is_kept_from_elsewhere(&self) -> bool {
        let outside = self.outside.waits.borrow();
        let mut waits = outside.iter().map(|(_, listed)| listed.wait());
        waits.any(|wait| wait.is_for_a_lock() && self.is_in(wait) && wait.others_exist())
    }

    /// Returns whether a timer, the kernel or another thread may make a fiber ready while all wait.
    pub(crate) fn outside_may_bring_work(&self) -> bool {
        !self.time.is_empty() || self.outside.external_waits.get() != 0 || self.outsiders_may_wake()
    }
}
