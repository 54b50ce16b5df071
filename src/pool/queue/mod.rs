//! Queues that hand out work in an order of their own and know when all of it is done.
//!
//! Invariants: those of `store.rs`, and
//! - `x` waits, `try_x` never does, `x_timeout` and `x_deadline` wait so long; an item that was not
//!   sent comes back.
//! - Items are dropped with the last handle, and no item while the queue is in use.

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

/// A queue that gives out the smallest item first, and equal ones in the order of their sends.
///
/// Items that have a priority and no order of their own are wrapped in [`Ranked`]. An item's `Ord`
/// must neither use the queue nor wait; if it panics the queue goes on, in some order.
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

/// A queue that gives out the newest item first.
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

/// A queue that gives out the oldest item first, and counts those that are not done yet. (The other
/// queues do that as well.)
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

/// A queue of work for the fibers of one thread. Clones are handles to one queue.
///
/// A receiver that waits is woken for one item, and takes the first in the queue's order at the
/// moment when it runs. Sends of a full queue and receives of an empty one are served first come,
/// first served.
///
/// See [`PriorityQueue`], [`LifoQueue`] and [`JoinableQueue`].
pub struct WorkQueue<T, O: Order<T>> {
    core: Rc<Core<T, O>>,
}

impl<T, O: Order<T>> WorkQueue<T, O> {
    /// A queue that holds any number of items: a send never waits.
    #[must_use]
    pub fn new() -> WorkQueue<T, O> {
        WorkQueue { core: Rc::new(Core::new(usize::MAX)) }
    }

    /// A queue that holds up to `capacity` items: a send waits while it is full.
    ///
    /// # Panics
    ///
    /// Panics if `capacity` is 0: with nothing to choose from there is no order.
    /// [`Channel`](crate::channel::Channel) hands items from fiber to fiber.
    #[must_use]
    #[track_caller]
    pub fn bounded(capacity: usize) -> WorkQueue<T, O> {
        assert!(capacity != 0, "a queue of capacity 0 could never hold anything to choose from");
        WorkQueue { core: Rc::new(Core::new(capacity)) }
    }

    /// Refuses what is sent from now on, also by those who wait to send. Receivers get what is
    /// there, and then learn of it.
    pub fn close(&self) {
        self.core.close();
    }

    /// Whether the queue was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.core.is_closed()
    }

    /// Items that the queue holds now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.core.len()
    }

    /// Whether the queue holds nothing now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many items the queue can hold; none if any number.
    #[must_use]
    pub fn capacity(&self) -> Option<usize> {
        Some(self.core.capacity).filter(|&capacity| capacity != usize::MAX)
    }

    /// Receives until the queue is closed and empty.
    ///
    /// # Panics
    ///
    /// `next` panics with a report if nothing can ever run again.
    #[must_use]
    pub fn iter(&self) -> Items<'_, T, O> {
        Items { queue: self }
    }
}

/// What a queue gives out until it is closed and empty.
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

/// What a queue gives out, of which the iterator owns a handle, until it is closed and empty.
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
