//! The orders that other threads gave for one tasklet and that are not carried out yet: bounded,
//! because later orders fold into earlier ones when many are outstanding.
//!
//! ```text
//!   [ insert | run | throw | ... | remove ]  <-- insert        fewer than MOST: it is appended
//!   [ insert | run | throw | ... | remove, insert ]            else folded into the last
//! ```
//!
//! Invariants:
//! - Orders are taken in the order in which they were given.
//! - There are at most `MOST + 2`, however many are given. The result of folding two orders has the
//!   same effect as both, one directly after the other.
//! - There are at least as many announcements as orders, and at most `MOST + 2`: an order that is
//!   added after others were folded is announced by what announced those.
//! - No payload is dropped in here: one that a later one replaces is handed out.

#![forbid(unsafe_code)]

use std::any::Any;
use std::collections::VecDeque;

/// Number of orders that are kept unfolded. More are outstanding only if the owner does not get to
/// carry them out.
const MOST: usize = 32;

/// A request that another thread can make of a tasklet.
#[derive(Debug)]
pub(crate) enum Order {
    /// Go to the end of the ring, if it is paused.
    Insert,
    /// Leave the ring.
    Remove,
    /// Run before all others.
    Run,
    /// Raise this payload where it waits.
    Throw(Box<dyn Any + Send>),
    /// `Insert`, then `Remove`.
    InsertRemove,
    /// `Remove`, then `Insert`.
    RemoveInsert,
}

impl Order {
    /// Returns the order that has the effect of `self` and then `next`, neither of which throws.
    fn then(self, next: Order) -> Order {
        use Order::{Insert, InsertRemove, Remove, RemoveInsert, Run};
        match (self, next) {
            // Whatever the state before: the tasklet is now at the front of the ring, or waits for
            // something.
            (_, Run) => Run,
            (Insert, Insert) => Insert,
            (Run, Insert) => Run,
            (Remove | InsertRemove | RemoveInsert, Insert) => RemoveInsert,
            (Remove, Remove) => Remove,
            (Insert | Run | InsertRemove | RemoveInsert, Remove) => InsertRemove,
            (_, next) => next,
        }
    }

    fn throws(&self) -> bool {
        matches!(self, Order::Throw(_))
    }
}

/// Outstanding orders, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    queue: VecDeque<Order>,
    /// The number of `Added::Behind` that `next` has not answered yet.
    announced: usize,
}

/// The result of adding an order.
#[derive(Debug)]
pub(crate) enum Added {
    /// It was appended, is the last one now, and must be announced: by one more call of
    /// [`next`](Orders::next).
    Behind,
    /// The calls of [`next`](Orders::next) that were announced before are enough. A payload that it
    /// has replaced is returned.
    Folded(Option<Order>),
}

impl Orders {
    pub(crate) fn add(&mut self, order: Order) -> Added {
        if self.queue.len() < MOST {
            return self.append(order);
        }
        let Some(last) = self.queue.pop_back() else { return self.append(order) };
        match (last.throws(), order.throws()) {
            (false, false) => {
                self.queue.push_back(last.then(order));
                Added::Folded(None)
            }
            // The later payload replaces the earlier one, as it would when it is thrown.
            (true, true) => {
                self.queue.push_back(order);
                Added::Folded(Some(last))
            }
            (false, true) if self.queue.back().is_some_and(Order::throws) => {
                let replaced = self.queue.pop_back();
                let joins = self.queue.back().is_some_and(|before| !before.throws());
                let before = if joins { self.queue.pop_back() } else { None };
                self.queue.push_back(match before {
                    Some(before) => before.then(last),
                    None => last,
                });
                self.queue.push_back(order);
                Added::Folded(replaced)
            }
            _ => {
                self.queue.push_back(last);
                self.append(order)
            }
        }
    }

    fn append(&mut self, order: Order) -> Added {
        self.queue.push_back(order);
        if self.queue.len() <= self.announced {
            return Added::Folded(None);
        }
        self.announced += 1;
        Added::Behind
    }

    /// Takes the last order back, which could not be announced.
    pub(crate) fn take_back(&mut self) -> Option<Order> {
        self.announced -= 1;
        self.queue.pop_back()
    }

    /// Takes the oldest order. Must be called once per announcement; there may be fewer orders than
    /// that.
    pub(crate) fn next(&mut self) -> Option<Order> {
        self.announced = self.announced.saturating_sub(1);
        self.queue.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what becomes of a tasklet that is in the ring, is paused, has left the ring by
    /// itself, or waits; and whether it was put at the front or the end last.
    fn carried_out(order: &Order, state: &'static str) -> &'static str {
        match (order, state) {
            (Order::Insert, "paused" | "left") => "at the end",
            (Order::Remove, "in the ring" | "at the end" | "at the front") => "paused",
            (Order::Run, state) if state != "waits" => "at the front",
            (Order::InsertRemove, state) => {
                carried_out(&Order::Remove, carried_out(&Order::Insert, state))
            }
            (Order::RemoveInsert, state) => {
                carried_out(&Order::Insert, carried_out(&Order::Remove, state))
            }
            (_, state) => state,
        }
    }

    const VERBS: [fn() -> Order; 5] = [
        || Order::Insert,
        || Order::Remove,
        || Order::Run,
        || Order::InsertRemove,
        || Order::RemoveInsert,
    ];

    #[test]
    fn what_two_orders_fold_into_does_the_same_as_both() {
        for (first, second) in VERBS.iter().flat_map(|first| VERBS.map(|second| (first, second))) {
            for state in ["in the ring", "paused", "left", "waits"] {
                let both = carried_out(&second(), carried_out(&first(), state));
                let folded = first().then(second());
                assert_eq!(carried_out(&folded, state), both, "{first:?} {second:?} {state}");
            }
        }
    }

    #[test]
    fn few_orders_stay_unchanged() {
        let mut orders = Orders::default();
        for at in 0..MOST {
            let order = if at % 2 == 0 { Order::Insert } else { Order::Remove };
            assert!(matches!(orders.add(order), Added::Behind));
        }
        for at in 0..MOST {
            let next = orders.next().unwrap();
            assert!(matches!((at % 2, next), (0, Order::Insert) | (1, Order::Remove)));
        }
        assert!(orders.next().is_none());
    }

    #[test]
    fn however_many_are_given_few_are_kept_and_the_last_payload_is_among_them() {
        // Every sequence of six orders of three kinds, repeated.
        for pattern in (0..3_usize.pow(6)).step_by(if cfg!(miri) { 101 } else { 1 }) {
            let mut orders = Orders::default();
            let (mut replaced, mut announced) = (0, 0);
            for at in 0..200_usize {
                let added = orders.add(match pattern / 3_usize.pow((at % 6) as u32) % 3 {
                    0 => Order::Insert,
                    1 => Order::Remove,
                    _ => Order::Throw(Box::new(at)),
                });
                announced += usize::from(matches!(added, Added::Behind));
                replaced += usize::from(matches!(added, Added::Folded(Some(Order::Throw(_)))));
                assert!(orders.queue.len() <= announced, "pattern {pattern}");
                assert!(announced <= MOST + 2, "pattern {pattern}: {announced}");
            }
            let thrown =
                (0..200_usize).filter(|at| pattern / 3_usize.pow((at % 6) as u32) % 3 == 2);
            let kept: Vec<_> = std::iter::from_fn(|| orders.next()).filter(Order::throws).collect();
            assert_eq!(kept.len() + replaced, thrown.clone().count());
            let Some(Order::Throw(last)) = kept.last() else { continue };
            assert_eq!(last.downcast_ref(), thrown.max().as_ref());
        }
    }
}
