//! Queues that hand out work in a given order, and can wait until all of it is done.
//!
//! Invariants: those of `store.rs`, and
//! - `x` waits, `try_x` never waits, `x_timeout` and `x_deadline` wait for a limited time; an item
//!   that was not sent is returned.
//! - Items are dropped with the last handle, and no item is dropped while the queue is in use.

use std::fmt;
use std::rc::Rc;

use crate::channel::RecvError;
use crate::collections::by_value::by_value;
use crate::pool::queue::store::Core;

mod done;
mod order;
mod recv;
mod send;
mod store;

pub use done::Task;
pub use order::{Newest, Oldest, Order, Ranked, Smallest};

/// A queue that hands out the smallest item first, and equal items in the order of their sends.
///
/// Wrap items that have a priority but no order in [`Ranked`]. The `Ord` of an item must neither
/// use the queue nor wait; if it panics, the queue remains usable, in an unspecified order.
///
/// # Examples
///
/// ```
/// use fibra::pool::PriorityQueue;
///
/// fibra::run(|| {
///     let queue = PriorityQueue::new();
///     [3, 1, 2].into_iter().for_each(|n| queue.send(n).unwrap());
///     queue.close();
///     assert_eq!(queue.iter().collect::<Vec<_>>(), [1, 2, 3]);
/// });
/// ```
pub type PriorityQueue<T> = WorkQueue<T, Smallest>;

/// A queue that hands out the newest item first.
///
/// # Examples
///
/// ```
/// use fibra::pool::LifoQueue;
///
/// fibra::run(|| {
///     let queue = LifoQueue::new();
///     [3, 1, 2].into_iter().for_each(|n| queue.send(n).unwrap());
///     queue.close();
///     assert_eq!(queue.iter().collect::<Vec<_>>(), [2, 1, 3]);
/// });
/// ```
pub type LifoQueue<T> = WorkQueue<T, Newest>;

/// A queue that hands out the oldest item first, and counts the items that are not done yet. (The
/// other queues count them as well.)
///
/// # Examples
///
/// ```
/// use fibra::pool::JoinableQueue;
///
/// fibra::run(|| {
///     let queue = JoinableQueue::new();
///     for _ in 0..3 {
///         let queue = queue.clone();
///         fibra::spawn(move || {
///             while let Ok(task) = queue.recv_task() {
///                 if *task < 4 {
///                     queue.send(*task * 2).unwrap(); // work that makes work
///                 }
///             } // the task is done when it is dropped
///         });
///     }
///     queue.send(1).unwrap();
///     queue.wait_drained().unwrap(); // 1, 2 and 4 are done
///     queue.close();
/// });
/// ```
pub type JoinableQueue<T> = WorkQueue<T, Oldest>;

/// A queue of work for the fibers of one thread. Clones are handles to the same queue.
///
/// A waiting receiver is woken for one item, and takes the item that is the first in the queue's
/// order at the moment at which it runs. Waiting senders and receivers are served first come, first
/// served.
///
/// See [`PriorityQueue`], [`LifoQueue`] and [`JoinableQueue`].
///
/// # Examples
///
/// ```
/// use fibra::pool::PriorityQueue;
///
/// fibra::run(|| {
///     let queue = PriorityQueue::new();
///     [3, 1, 2].map(|n| queue.send(n).unwrap());
///     queue.close();
///     assert_eq!(queue.iter().collect::<Vec<_>>(), [1, 2, 3]); // the smallest first
/// });
/// ```
pub struct WorkQueue<T, O: Order<T>> {
    core: Rc<Core<T, O>>,
}

impl<T, O: Order<T>> WorkQueue<T, O> {
    /// Creates a queue that holds any number of items: a send never waits.
    #[must_use]
    pub fn new() -> WorkQueue<T, O> {
        WorkQueue { core: Rc::new(Core::new(usize::MAX)) }
    }

    /// Creates a queue that holds up to `capacity` items: a send waits while it is full.
    ///
    /// # Panics
    ///
    /// Panics if `capacity` is 0: a queue that holds no item has no order. To pass items directly
    /// from fiber to fiber, use a [`Channel`](crate::channel::Channel).
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::pool::PriorityQueue;
    ///
    /// fibra::run(|| {
    ///     let queue = PriorityQueue::bounded(1);
    ///     queue.try_send("first").unwrap();
    ///     assert!(queue.try_send("second").unwrap_err().is_full());
    ///     assert_eq!(queue.capacity(), Some(1));
    /// });
    /// ```
    #[must_use]
    #[track_caller]
    pub fn bounded(capacity: usize) -> WorkQueue<T, O> {
        assert!(
            capacity != 0,
            "a queue of capacity 0 could never hold an item: make it at least 1"
        );
        WorkQueue { core: Rc::new(Core::new(capacity)) }
    }

    /// Closes the queue: sends fail from now on, and so do those that wait. Receivers get the items
    /// that are left, and then an error.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::pool::LifoQueue;
    ///
    /// fibra::run(|| {
    ///     let queue = LifoQueue::new();
    ///     queue.send(1).unwrap();
    ///     queue.close();
    ///     assert!(queue.send(2).unwrap_err().is_closed());
    ///     assert_eq!(queue.recv(), Ok(1)); // what is left
    ///     assert!(queue.recv().unwrap_err().is_closed());
    /// });
    /// ```
    pub fn close(&self) {
        self.core.close();
    }

    /// Returns whether the queue was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.core.is_closed()
    }

    /// Returns the number of items in the queue.
    #[must_use]
    pub fn len(&self) -> usize {
        self.core.len()
    }

    /// Returns whether the queue holds no items.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of items that the queue can hold, or `None` if it is unbounded.
    #[must_use]
    pub fn capacity(&self) -> Option<usize> {
        Some(self.core.capacity).filter(|&capacity| capacity != usize::MAX)
    }

    /// Returns an iterator that receives until the queue is closed and empty.
    ///
    /// # Panics
    ///
    /// `next` panics with a report if nothing can ever run again.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::pool::PriorityQueue;
    ///
    /// fibra::run(|| {
    ///     let queue = PriorityQueue::new();
    ///     ["pear", "apple"].map(|fruit| queue.send(fruit).unwrap());
    ///     queue.close();
    ///     assert_eq!(queue.iter().collect::<Vec<_>>(), ["apple", "pear"]);
    /// });
    /// ```
    #[must_use]
    pub fn iter(&self) -> Items<'_, T, O> {
        Items { queue: self }
    }
}

/// An iterator that receives from a [`WorkQueue`] until that is closed and empty.
///
/// # Examples
///
/// ```
/// use fibra::pool::LifoQueue;
///
/// fibra::run(|| {
///     let queue = LifoQueue::new();
///     [1, 2, 3].map(|n| queue.send(n).unwrap());
///     queue.close(); // ends the iteration
///     assert_eq!(queue.iter().collect::<Vec<_>>(), [3, 2, 1]);
/// });
/// ```
pub struct Items<'a, T, O: Order<T>> {
    queue: &'a WorkQueue<T, O>,
}

impl<T, O: Order<T>> Iterator for Items<'_, T, O> {
    type Item = T;

    #[track_caller]
    fn next(&mut self) -> Option<T> {
        match self.queue.recv() {
            Ok(item) => Some(item),
            Err(RecvError::Deadlock(report)) => panic!("{report}"),
            Err(_) => None,
        }
    }
}

impl<'a, T, O: Order<T>> IntoIterator for &'a WorkQueue<T, O> {
    type Item = T;
    type IntoIter = Items<'a, T, O>;

    fn into_iter(self) -> Items<'a, T, O> {
        self.iter()
    }
}

impl<T, O: Order<T>> Clone for WorkQueue<T, O> {
    fn clone(&self) -> WorkQueue<T, O> {
        WorkQueue { core: self.core.clone() }
    }
}

impl<T, O: Order<T>> Default for WorkQueue<T, O> {
    fn default() -> WorkQueue<T, O> {
        WorkQueue::new()
    }
}

impl<T, O: Order<T>> fmt::Debug for WorkQueue<T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkQueue")
            .field("len", &self.len())
            .field("unfinished", &self.unfinished())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

impl<T, O: Order<T>> fmt::Debug for Items<'_, T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Items").field(self.queue).finish()
    }
}

/// An iterator that owns a handle to a [`WorkQueue`] and receives until that is closed and empty.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let queue = fibra::pool::LifoQueue::new();
///     [3, 1, 2].into_iter().for_each(|n| queue.send(n).unwrap());
///     queue.close();
///     let mut items = Vec::new();
///     for item in queue {
///         items.push(item);
///     }
///     assert_eq!(items, [2, 1, 3]);
/// });
/// ```
pub struct IntoItems<T, O: Order<T>> {
    source: WorkQueue<T, O>,
}

by_value!([T, O: Order<T>] WorkQueue => IntoItems<T, O>, T);
