//! The orders in which a queue hands out its items.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::fmt;

/// An order in which a [`WorkQueue`](crate::pool::WorkQueue) hands out its items: [`Smallest`],
/// [`Newest`] or [`Oldest`].
pub trait Order<T>: sealed::Order<T> {}

/// The smallest item first; of equal items, the one whose send began first.
///
/// # Examples
///
/// ```
/// use fibra::pool::{Smallest, WorkQueue};
///
/// fibra::run(|| {
///     let queue = WorkQueue::<u32, Smallest>::new();
///     [2, 1].map(|n| queue.send(n).unwrap());
///     assert_eq!(queue.recv(), Ok(1));
/// });
/// ```
#[derive(Copy, Clone, Debug)]
pub struct Smallest;

/// The newest item first: a stack.
///
/// # Examples
///
/// ```
/// use fibra::pool::{Newest, WorkQueue};
///
/// fibra::run(|| {
///     let queue = WorkQueue::<u32, Newest>::new();
///     [1, 2].map(|n| queue.send(n).unwrap());
///     assert_eq!(queue.recv(), Ok(2));
/// });
/// ```
#[derive(Copy, Clone, Debug)]
pub struct Newest;

/// The oldest item first.
///
/// # Examples
///
/// ```
/// use fibra::pool::{Oldest, WorkQueue};
///
/// fibra::run(|| {
///     let queue = WorkQueue::<u32, Oldest>::new();
///     [2, 1].map(|n| queue.send(n).unwrap());
///     assert_eq!(queue.recv(), Ok(2));
/// });
/// ```
#[derive(Copy, Clone, Debug)]
pub struct Oldest;

/// A value with a rank, which is compared by the rank alone: for values that have no order.
///
/// # Examples
///
/// ```
/// use fibra::pool::{PriorityQueue, Ranked};
///
/// fibra::run(|| {
///     let jobs = PriorityQueue::new();
///     jobs.send(Ranked::new(2, "sweep")).unwrap();
///     jobs.send(Ranked::new(1, "cook")).unwrap();
///     jobs.send(Ranked::new(1, "eat")).unwrap();
///     let order: Vec<_> = (0..3).map(|_| jobs.recv().unwrap().value).collect();
///     assert_eq!(order, ["cook", "eat", "sweep"]);
/// });
/// ```
#[derive(Clone, Debug)]
pub struct Ranked<K, T> {
    /// The rank. The smallest comes first.
    pub rank: K,
    /// The value that has that rank.
    pub value: T,
}

impl<K, T> Ranked<K, T> {
    /// Creates a `value` with a `rank`.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::pool::{PriorityQueue, Ranked};
    ///
    /// fibra::run(|| {
    ///     let queue = PriorityQueue::new();
    ///     queue.try_send(Ranked::new(2, "later")).unwrap();
    ///     queue.try_send(Ranked::new(1, "urgent")).unwrap();
    ///     assert_eq!(queue.try_recv().unwrap().value, "urgent"); // values need no order
    /// });
    /// ```
    pub const fn new(rank: K, value: T) -> Ranked<K, T> {
        Ranked { rank, value }
    }
}

impl<K: Ord, T> Ord for Ranked<K, T> {
    fn cmp(&self, other: &Ranked<K, T>) -> Ordering {
        self.rank.cmp(&other.rank)
    }
}

impl<K: Ord, T> PartialOrd for Ranked<K, T> {
    fn partial_cmp(&self, other: &Ranked<K, T>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K: Ord, T> PartialEq for Ranked<K, T> {
    fn eq(&self, other: &Ranked<K, T>) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<K: Ord, T> Eq for Ranked<K, T> {}

pub(crate) mod sealed {
    /// The implementation of an order. `put` and `take` may call the user's `Ord`.
    pub trait Order<T> {
        type Shelf: Default;
        fn put(shelf: &mut Self::Shelf, item: T, ticket: u64);
        fn take(shelf: &mut Self::Shelf) -> Option<T>;
        fn len(shelf: &Self::Shelf) -> usize;
    }
}

/// An item of a `BinaryHeap`, which hands out its greatest element first.
pub struct InHeap<T> {
    item: T,
    ticket: u64,
}

impl<T: Ord> Ord for InHeap<T> {
    fn cmp(&self, other: &InHeap<T>) -> Ordering {
        other.item.cmp(&self.item).then_with(|| other.ticket.cmp(&self.ticket))
    }
}

impl<T: Ord> PartialOrd for InHeap<T> {
    fn partial_cmp(&self, other: &InHeap<T>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Ord> PartialEq for InHeap<T> {
    fn eq(&self, other: &InHeap<T>) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T: Ord> Eq for InHeap<T> {}

impl<T> fmt::Debug for InHeap<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.ticket)
    }
}

impl<T: Ord> sealed::Order<T> for Smallest {
    type Shelf = BinaryHeap<InHeap<T>>;

    fn put(shelf: &mut Self::Shelf, item: T, ticket: u64) {
        shelf.push(InHeap { item, ticket });
    }

    fn take(shelf: &mut Self::Shelf) -> Option<T> {
        shelf.pop().map(|entry| entry.item)
    }

    fn len(shelf: &Self::Shelf) -> usize {
        shelf.len()
    }
}

impl<T> sealed::Order<T> for Newest {
    type Shelf = Vec<T>;

    fn put(shelf: &mut Vec<T>, item: T, _: u64) {
        shelf.push(item);
    }

    fn take(shelf: &mut Vec<T>) -> Option<T> {
        shelf.pop()
    }

    fn len(shelf: &Vec<T>) -> usize {
        shelf.len()
    }
}

impl<T> sealed::Order<T> for Oldest {
    type Shelf = VecDeque<T>;

    fn put(shelf: &mut VecDeque<T>, item: T, _: u64) {
        shelf.push_back(item);
    }

    fn take(shelf: &mut VecDeque<T>) -> Option<T> {
        shelf.pop_front()
    }

    fn len(shelf: &VecDeque<T>) -> usize {
        shelf.len()
    }
}

impl<T: Ord> Order<T> for Smallest {}
impl<T> Order<T> for Newest {}
impl<T> Order<T> for Oldest {}
