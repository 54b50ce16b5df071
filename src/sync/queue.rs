//! A queue of waiters, first come, first served; any waiter leaves it in constant time.
//!
//! ```text
//!   base = 7        place 7   8   9   10
//!                       [ A | - | B | C ]      the waiter at 8 has left a hole
//! ```
//!
//! Invariants:
//! - Neither the first nor the last slot is a hole, so `pop` need not search.
//! - There are at most `MOST_HOLES` more holes than waiters.
//! - A waiter is in at most one queue, and its place is right while it is in the queue.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use crate::sched::lowlevel::WaitOutcome;
use crate::sync::waiter::{Served, Waiter, locked};

/// Waiters in the order in which they arrived.
#[derive(Debug)]
pub(super) struct Queue<X = ()> {
    slots: VecDeque<Option<Arc<Waiter<X>>>>,
    /// The place of the first slot.
    base: u64,
    len: usize,
}

/// Withdraws `waiter`, as [`Queue::withdraw`] does, then calls `serve` for the waiters that it kept
/// waiting, and wakes those that were served. Tells `serve` whether `waiter` was the first one.
/// Returns whether this call ended the wait.
pub(super) fn withdraw<X>(
    queue: &Mutex<Queue<X>>,
    waiter: &Waiter<X>,
    serve: impl FnOnce(&mut Queue<X>, bool) -> Served<X>,
) -> bool {
    let mut queue = locked(queue);
    let was_first = queue.is_first(waiter);
    if !queue.withdraw(waiter) {
        return false;
    }
    let served = serve(&mut queue, was_first);
    drop(queue);
    served.wake();
    true
}

impl<X> Queue<X> {
    pub(super) const fn new() -> Queue<X> {
        Queue { slots: VecDeque::new(), base: 0, len: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Appends `waiter`.
    pub(super) fn push(&mut self, waiter: Arc<Waiter<X>>) {
        waiter.set_place(self.base.wrapping_add(self.slots.len() as u64));
        self.slots.push_back(Some(waiter));
        self.len += 1;
    }

    /// Appends `waiter`, or puts it in front if it was there before.
    pub(super) fn join(&mut self, waiter: Arc<Waiter<X>>, again: bool) {
        if again {
            self.push_front(vec![waiter]);
        } else {
            self.push(waiter);
        }
    }

    /// Puts waiters that were taken from the front back, in the same order.
    pub(super) fn push_front(&mut self, waiters: Vec<Arc<Waiter<X>>>) {
        for waiter in waiters.into_iter().rev() {
            // The place before 0 is `u64::MAX`: places wrap around.
            self.base = self.base.wrapping_sub(1);
            waiter.set_place(self.base);
            self.slots.push_front(Some(waiter));
            self.len += 1;
        }
    }

    /// Returns the first waiter.
    pub(super) fn front(&self) -> Option<&Arc<Waiter<X>>> {
        self.slots.front().and_then(Option::as_ref)
    }

    /// Returns whether `waiter` is the first one.
    pub(super) fn is_first(&self, waiter: &Waiter<X>) -> bool {
        self.front().is_some_and(|first| std::ptr::eq(&**first, waiter))
    }

    /// Returns all waiters in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Waiter<X>>> {
        self.slots.iter().flatten()
    }

    /// Returns all waiters, the last one first.
    pub(super) fn backwards(&self) -> impl Iterator<Item = &Waiter<X>> {
        self.slots.iter().rev().flatten().map(|arc| &**arc)
    }

    /// Returns the waiters before `waiter`, in their order.
    pub(super) fn before<'a>(
        &'a self,
        waiter: &'a Waiter<X>,
    ) -> impl Iterator<Item = &'a Waiter<X>> {
        let all = self.iter().map(|arc| &**arc);
        all.take_while(move |before| !std::ptr::eq(*before, waiter))
    }

    /// Removes and returns the first waiter.
    pub(super) fn pop(&mut self) -> Option<Arc<Waiter<X>>> {
        let first = self.slots.pop_front().flatten()?;
        self.base = self.base.wrapping_add(1);
        self.len -= 1;
        self.trim();
        Some(first)
    }

    /// Removes `waiter`, if it is in this queue.
    pub(super) fn remove(&mut self, waiter: &Waiter<X>) {
        let index = usize::try_from(waiter.place().wrapping_sub(self.base)).ok();
        let slot = index.and_then(|index| self.slots.get_mut(index));
        let is_it = |slot: &&mut Option<Arc<Waiter<X>>>| {
            slot.as_deref().is_some_and(|there| std::ptr::eq(there, waiter))
        };
        if let Some(slot) = slot.filter(is_it) {
            *slot = None;
            self.len -= 1;
            self.trim();
        }
    }

    /// Ends the wait of `waiter` and takes it out, unless the wait is over. Returns whether this
    /// call ended it.
    pub(super) fn withdraw(&mut self, waiter: &Waiter<X>) -> bool {
        let withdrawn = waiter.claim(WaitOutcome::Withdrawn);
        if withdrawn {
            self.remove(waiter);
        }
        withdrawn
    }

    /// Removes all waiters, ends their waits with `outcome`, and returns those whose wait this call
    /// ended.
    pub(super) fn claim_all(&mut self, outcome: WaitOutcome) -> Vec<Arc<Waiter<X>>> {
        self.len = 0;
        self.slots.drain(..).flatten().filter(|waiter| waiter.claim(outcome)).collect()
    }

    /// Removes the holes at both ends, and all others if there are too many.
    fn trim(&mut self) {
        while matches!(self.slots.back(), Some(None)) {
            self.slots.pop_back();
        }
        while matches!(self.slots.front(), Some(None)) {
            self.slots.pop_front();
            self.base = self.base.wrapping_add(1);
        }
        if 2 * self.len + MOST_HOLES < self.slots.len() {
            self.slots.retain(Option::is_some);
            let places = (0..).map(|index| self.base.wrapping_add(index));
            let moved = places.zip(self.slots.iter().flatten());
            moved.for_each(|(place, waiter)| waiter.set_place(place));
        }
    }
}

/// The number of holes up to which closing them is not worth a pass over the queue.
const MOST_HOLES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn waiters(n: usize) -> Vec<Arc<Waiter<usize>>> {
        (0..n).map(|i| Arc::new(Waiter::new(i))).collect()
    }

    fn drain(queue: &mut Queue<usize>) -> Vec<usize> {
        std::iter::from_fn(|| queue.pop()).map(|waiter| waiter.extra).collect()
    }

    #[test]
    fn waiters_leave_in_the_order_in_which_they_arrived() {
        let mut queue = Queue::new();
        waiters(3).into_iter().for_each(|waiter| queue.push(waiter));
        assert_eq!((queue.len(), queue.front().map(|first| first.extra)), (3, Some(0)));
        assert_eq!(drain(&mut queue), [0, 1, 2]);
        assert!(queue.is_empty() && queue.front().is_none());
    }

    #[test]
    fn any_waiter_may_leave_and_only_once() {
        let all = waiters(5);
        let mut queue = Queue::new();
        all.iter().for_each(|waiter| queue.push(waiter.clone()));
        for i in [2, 0, 4, 2] {
            queue.remove(&all[i]);
        }
        assert_eq!(queue.len(), 2);
        let late = waiters(1).remove(0);
        queue.push(late.clone());
        queue.remove(&all[4]); // The newcomer has its place now.
        assert_eq!(drain(&mut queue), [1, 3, 0]);
        queue.remove(&late);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn waiters_that_were_taken_can_be_put_back_in_front() {
        let mut queue = Queue::new();
        let all = waiters(4);
        all.iter().for_each(|waiter| queue.push(waiter.clone()));
        let first_two = (0..2).map(|_| queue.pop().unwrap()).collect();
        queue.push_front(first_two);
        let two = vec![Arc::new(Waiter::new(8)), Arc::new(Waiter::new(9))];
        queue.push_front(two.clone());
        queue.remove(&two[1]);
        queue.remove(&all[1]);
        assert_eq!(drain(&mut queue), [8, 0, 2, 3]);
    }

    #[test]
    fn the_number_of_holes_is_bounded() {
        let mut queue = Queue::new();
        let first = Arc::new(Waiter::new(0));
        queue.push(first.clone());
        let mut last = Arc::new(Waiter::new(1));
        queue.push(last.clone());
        for i in 2..1_000 {
            let next = Arc::new(Waiter::new(i));
            queue.push(next.clone());
            let leaves = std::mem::replace(&mut last, next);
            queue.remove(&leaves);
            assert!(queue.slots.len() <= 2 * 2 + MOST_HOLES + 1);
        }
        assert_eq!(drain(&mut queue), [0, 999]);
    }

    #[test]
    fn all_waits_are_ended_together() {
        let mut queue = Queue::new();
        let all = waiters(3);
        all.iter().for_each(|waiter| queue.push(waiter.clone()));
        queue.remove(&all[1]);
        assert!(all[2].claim(WaitOutcome::Withdrawn));
        assert_eq!(queue.claim_all(WaitOutcome::Served).len(), 1);
        assert!(queue.is_empty());
        queue.push(all[1].clone());
        assert_eq!(drain(&mut queue), [1]);
    }
}
