//! Who runs next, on demand: rotating the ring, and putting somebody in front of it.
//!
//! ```text
//!   running  ring                    B.run()       running  ring
//!   m        A B C       m goes to the end:  A B C m, rotated to B:  B C m A
//!
//!   m        A B         P.run(), P paused:                          P m A B
//! ```
//!
//! Invariant: a rotation changes no order (S-008). It is O(k), k being the place of the fiber.

use crate::fiber::header::{FiberPtr, FiberRef};
use crate::sched::core::pause;
use crate::sched::core::scheduler::{CurrentFiber, Scheduler};

impl Scheduler {
    /// The fibers in the ring, in the order in which they will run.
    pub(crate) fn in_order(&self) -> Vec<FiberRef> {
        self.ring(|ring| {
            let entries = (0..ring.stored()).filter_map(|ahead| ring.entry(ahead));
            let valid = entries.filter(|entry| entry.ticket == entry.item.ticket.get());
            valid.map(|entry| entry.item.to_ref()).collect()
        })
    }

    /// The fiber that runs next.
    pub(crate) fn first_in_ring(&self) -> Option<FiberRef> {
        self.ring(|ring| {
            let mut entries = (0..ring.stored()).filter_map(|ahead| ring.entry(ahead));
            let valid = entries.find(|entry| entry.ticket == entry.item.ticket.get());
            valid.map(|entry| entry.item.to_ref())
        })
    }

    /// Whether no fiber can run but the one that does.
    pub(crate) fn is_ring_empty(&self) -> bool {
        self.ring(|ring| ring.queued()) == 0
    }

    /// Rotates the ring until `fiber`, which is in it, is the first.
    fn rotate_to(&self, fiber: FiberPtr) {
        // Once round, and not for ever, if it is not in there.
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

    /// Lets `fiber`, which is in the ring or in no queue, run as soon as the running one leaves.
    pub(crate) fn bring_to_front(&self, fiber: FiberPtr) {
        if !self.unpause_next(fiber) {
            self.rotate_to(fiber);
        }
    }
}

/// Puts the caller into the ring such that `fiber`, which is in the ring or in no queue, runs next,
/// and the caller when its turn comes: directly behind a paused one, at the end of the ring
/// otherwise. The caller gives way then.
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
