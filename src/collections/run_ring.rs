//! The order in which fibers run: a flat double-ended queue whose entries carry a ticket.
//!
//! ```text
//!            head                         tail
//!   . . . | f3,t7 | f1,t2 | f9,t1 | f3,t8 | . . .        (capacity: a power of two)
//!             |       \________ runs next but one
//!             \ void: f3's ticket is 8 by now, its owner skips this entry
//! ```
//!
//! Invariants:
//! - The ring never looks at what it holds. Whether an entry is still valid is the owner's to say:
//!   it compares the entry's ticket with the one it keeps beside the item. Taking an item out of
//!   the middle is therefore O(1): its owner changes the ticket and calls [`RunRing::void_one`].
//! - `voided` counts the entries that were declared void and are still stored. When they
//!   outnumber the others, [`RunRing::wants_compaction`] says so: memory stays proportional to
//!   the items that are really queued.
//! - A flat array (and not a linked list) lets the run loop look ahead and prefetch what runs a
//!   few turns later. That is worth a factor of two at 10,000 fibers and above.

/// A queued item, and the ticket it was queued with.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) struct Entry<T> {
    pub(crate) item: T,
    pub(crate) ticket: u32,
}

/// A double-ended queue of tickets. All operations are O(1) but for growth and compaction.
#[derive(Debug)]
pub(crate) struct RunRing<T> {
    /// Slots outside `head .. head + len` are stale copies, never read.
    slots: Box<[Option<Entry<T>>]>,
    head: usize,
    len: usize,
    voided: usize,
}

impl<T: Copy> RunRing<T> {
    const FIRST_CAPACITY: usize = 64;

    pub(crate) fn new() -> RunRing<T> {
        RunRing { slots: vec![None; Self::FIRST_CAPACITY].into(), head: 0, len: 0, voided: 0 }
    }

    /// Entries stored, void ones included.
    #[inline(always)]
    pub(crate) fn stored(&self) -> usize {
        self.len
    }

    /// Entries that are still valid.
    pub(crate) fn queued(&self) -> usize {
        self.len - self.voided
    }

    /// Appends `item`: it runs after everything that is queued now.
    #[inline(always)]
    pub(crate) fn push_back(&mut self, item: T, ticket: u32) {
        if self.len == self.slots.len() {
            self.grow();
        }
        let at = self.index(self.len);
        self.slots[at] = Some(Entry { item, ticket });
        self.len += 1;
    }

    /// Prepends `item`: it runs next.
    #[inline(always)]
    pub(crate) fn push_front(&mut self, item: T, ticket: u32) {
        if self.len == self.slots.len() {
            self.grow();
        }
        self.head = self.index(self.slots.len() - 1);
        self.slots[self.head] = Some(Entry { item, ticket });
        self.len += 1;
    }

    /// Takes the first entry, void or not.
    #[inline(always)]
    pub(crate) fn pop_front(&mut self) -> Option<Entry<T>> {
        if self.len == 0 {
            return None;
        }
        let entry = self.slots[self.head & (self.slots.len() - 1)];
        self.head = self.index(1);
        self.len -= 1;
        entry
    }

    /// The item `ahead` places behind the first, void or not.
    #[inline(always)]
    pub(crate) fn peek(&self, ahead: usize) -> Option<T> {
        if self.len <= ahead {
            return None;
        }
        self.slots[self.index(ahead)].map(|entry| entry.item)
    }

    /// The owner has made one stored entry void.
    pub(crate) fn void_one(&mut self) {
        debug_assert!(self.voided < self.len, "more entries voided than stored");
        self.voided += 1;
    }

    /// The owner has popped an entry and found it void.
    pub(crate) fn dropped_void(&mut self) {
        debug_assert!(0 < self.voided, "a void entry that nobody declared");
        self.voided -= 1;
    }

    /// Whether void entries outnumber the valid ones by enough to be worth a pass.
    pub(crate) fn wants_compaction(&self) -> bool {
        Self::FIRST_CAPACITY <= self.len && self.len < 2 * self.voided
    }

    /// Removes the entries for which `is_void` holds, keeping the order of the others.
    pub(crate) fn compact(&mut self, mut is_void: impl FnMut(&Entry<T>) -> bool) {
        let mut kept = 0;
        for ahead in 0..self.len {
            let entry = self.slots[self.index(ahead)];
            if entry.as_ref().is_some_and(|entry| !is_void(entry)) {
                let at = self.index(kept);
                self.slots[at] = entry;
                kept += 1;
            }
        }
        self.len = kept;
        self.voided = 0;
    }

    #[inline(always)]
    fn index(&self, ahead: usize) -> usize {
        (self.head + ahead) & (self.slots.len() - 1)
    }

    #[cold]
    fn grow(&mut self) {
        let old = self.slots.len();
        let mut slots = vec![None; old * 2];
        for (ahead, slot) in slots.iter_mut().take(self.len).enumerate() {
            *slot = self.slots[self.index(ahead)];
        }
        self.slots = slots.into();
        self.head = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Op {
        Back(u8),
        Front(u8),
        Pop,
        Void(u8),
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        let op = prop_oneof![
            4 => any::<u8>().prop_map(Op::Back),
            2 => any::<u8>().prop_map(Op::Front),
            3 => Just(Op::Pop),
            2 => any::<u8>().prop_map(Op::Void),
        ];
        prop::collection::vec(op, 0..600)
    }

    /// The ring beside the owner's tickets, as the scheduler uses it: an item is queued at most
    /// once, and is removed from the middle by changing its ticket.
    struct Owner {
        ring: RunRing<u8>,
        tickets: [u32; 256],
        model: VecDeque<u8>,
    }

    impl Owner {
        fn pop(&mut self) -> Option<u8> {
            while let Some(entry) = self.ring.pop_front() {
                if entry.ticket == self.tickets[usize::from(entry.item)] {
                    return Some(entry.item);
                }
                self.ring.dropped_void();
            }
            None
        }

        fn apply(&mut self, op: Op) {
            match op {
                Op::Back(i) if !self.model.contains(&i) => {
                    self.ring.push_back(i, self.tickets[usize::from(i)]);
                    self.model.push_back(i);
                }
                Op::Front(i) if !self.model.contains(&i) => {
                    self.ring.push_front(i, self.tickets[usize::from(i)]);
                    self.model.push_front(i);
                }
                Op::Void(i) if self.model.contains(&i) => {
                    self.tickets[usize::from(i)] += 1;
                    self.ring.void_one();
                    self.model.retain(|&other| other != i);
                }
                Op::Pop => assert_eq!(self.pop(), self.model.pop_front()),
                _ => {}
            }
            if self.ring.wants_compaction() {
                let tickets = self.tickets;
                self.ring.compact(|e| e.ticket != tickets[usize::from(e.item)]);
            }
            assert_eq!(self.ring.queued(), self.model.len());
        }
    }

    proptest! {
        #[test]
        fn behaves_as_a_deque_from_which_items_can_be_removed(ops in ops()) {
            let mut owner =
                Owner { ring: RunRing::new(), tickets: [0; 256], model: VecDeque::new() };
            for op in ops {
                owner.apply(op);
            }
            while let Some(expected) = owner.model.pop_front() {
                assert_eq!(owner.pop(), Some(expected));
            }
            assert_eq!(owner.pop(), None);
        }
    }

    #[test]
    fn removing_and_inserting_in_a_loop_does_not_grow_the_ring() {
        let mut ring = RunRing::new();
        let mut ticket = 0;
        ring.push_back('x', ticket);
        for _ in 0..100_000 {
            ticket += 1;
            ring.void_one();
            ring.push_back('x', ticket);
            if ring.wants_compaction() {
                ring.compact(|entry| entry.ticket != ticket);
            }
        }
        assert_eq!(ring.queued(), 1);
        assert!(ring.stored() <= 2 * RunRing::<char>::FIRST_CAPACITY, "{}", ring.stored());
    }

    #[test]
    fn looks_ahead_without_taking() {
        let mut ring = RunRing::new();
        for i in 0..5 {
            ring.push_back(i, 0);
        }
        assert_eq!((ring.peek(0), ring.peek(4), ring.peek(5)), (Some(0), Some(4), None));
        assert_eq!(ring.stored(), 5);
    }
}
