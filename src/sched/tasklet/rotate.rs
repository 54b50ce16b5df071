//! Choosing the fiber that is the next one to run: rotating the ring, and putting a fiber in front.
//!
//! ```text
//!   running  ring                    B.run()       running  ring
//!   m        A B C       m goes to the end:  A B C m, rotated to B:  B C m A
//!
//!   m        A B         P.run(), P paused:                          P m A B
//! ```
//!
//! Invariant: a rotation does not change the cyclic order of the ring. It is O(k), where k is the
//! position of the fiber.

use crate::fiber::header::{FiberPtr, FiberRef};
use crate::sched::core::pause;
use crate::sched::core::scheduler::{CurrentFiber, Scheduler};

impl Scheduler {
    /// Returns the fibers in the ring, in the order in which they will run.
    pub(crate) fn in_order(&self) -> Vec<FiberRef> {
        self.ring(|ring| {
            let entries = (0..ring.stored()).filter_map(|ahead| ring.entry(ahead));
            let valid = entries.filter(|entry| entry.ticket == entry.item.ticket.get());
            valid.map(|entry| entry.item.to_ref()).collect()
        })
    }

    /// Returns the first fiber in the ring.
    pub(crate) fn first_in_ring(&self) -> Option<FiberRef> {
        self.ring(|ring| {
            let mut entries = (0..ring.stored()).filter_map(|ahead| ring.entry(ahead));
            let valid = entries.find(|entry| entry.ticket == entry.item.ticket.get());
            valid.map(|entry| entry.item.to_ref())
        })
    }

    /// Returns whether no fiber is ready except the current one.
    pub(crate) fn is_ring_empty(&self) -> bool {
        self.ring(|ring| ring.queued()) == 0
    }

    /// Rotates the ring until `fiber`, which is in it, is the first.
    fn rotate_to(&self, fiber: FiberPtr) {
        // Goes round only once, in case the fiber is not in the ring.
        for _ in 0..self.ring(|ring| ring.stored()) {
            let Some(entry) = self.ring(|ring| ring.pop_front()) else { return };
            if entry.ticket != entry.item.ticket.get() {
                self.skip_void(entry.item);
            } else if entry.item == fiber {
                return self.ring(|ring| ring.push_front(entry.item, entry.ticket));
            } else {
                self.ring(|ring| ring.push_back(entry.item, entry.ticket));
            }
        }
    }

    /// Makes `fiber`, which is in the ring or in no queue, the next one to run after the current
    /// fiber leaves.
    pub(crate) fn bring_to_front(&self, fiber: FiberPtr) {
        if !self.unpause_next(fiber) {
            self.rotate_to(fiber);
        }
    }
}

/// Puts the current fiber back into the ring and makes `fiber`, which is in the ring or in no
/// queue, the first one. If `fiber` was in no queue, the current fiber is directly behind it;
/// otherwise the current fiber goes to the end of the ring, which is then rotated to `fiber`. The
/// caller must give way afterwards.
pub(crate) fn let_run(current: CurrentFiber, fiber: FiberPtr) {
    let CurrentFiber { fiber: me, sched } = current;
    if pause::is_floating(fiber) {
        sched.ring(|ring| ring.push_front(me, me.ticket.get()));
        sched.unpause_next(fiber);
    } else {
        pause::stays_after_a_look(fiber);
        sched.ring(|ring| ring.push_back(me, me.ticket.get()));
        sched.rotate_to(fiber);
    }
}
