//! Waiting until all work that was put into a queue is done.
//!
//! Invariant: an item that was sent counts as unfinished until it is marked as done, once.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use crate::channel::{RecvError, TryRecvError};
use crate::pool::error::{DrainError, DrainTimeoutError};
use crate::pool::queue::WorkQueue;
use crate::pool::queue::order::Order;
use crate::sched::lowlevel::{Interrupt, Limit, OnDeadlock, WaitReason, current_fiber, spend};

static DRAINING: WaitReason =
    WaitReason::new("waiting until the work of a queue is done", OnDeadlock::Fail);

impl<T, O: Order<T>> WorkQueue<T, O> {
    /// Like [`recv`](WorkQueue::recv), but returns a [`Task`]: the item counts as done when the
    /// task is dropped, even if that is by a panic or a kill of the fiber that works on it.
    ///
    /// # Errors
    ///
    /// Like [`recv`](WorkQueue::recv).
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::pool::JoinableQueue;
    ///
    /// fibra::run(|| {
    ///     let queue = JoinableQueue::new();
    ///     queue.send("a job").unwrap();
    ///     {
    ///         let task = queue.recv_task().unwrap();
    ///         assert_eq!(task.len(), 5);
    ///     } // done, even if the line above had panicked
    ///     assert_eq!(queue.unfinished(), 0);
    /// });
    /// ```
    #[track_caller]
    pub fn recv_task(&self) -> Result<Task<T, O>, RecvError> {
        self.recv().map(|item| Task { item, done: Done(self.clone()) })
    }

    /// Receives like [`try_recv`](WorkQueue::try_recv), but returns a [`Task`].
    ///
    /// # Errors
    ///
    /// Returns the errors of [`try_recv`](WorkQueue::try_recv).
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::pool::JoinableQueue;
    ///
    /// fibra::run(|| {
    ///     let queue = JoinableQueue::new();
    ///     assert!(queue.try_recv_task().unwrap_err().is_empty());
    ///     queue.try_send(1).unwrap();
    ///     assert_eq!(queue.try_recv_task().unwrap().into_inner(), 1);
    /// });
    /// ```
    #[track_caller]
    pub fn try_recv_task(&self) -> Result<Task<T, O>, TryRecvError> {
        self.try_recv().map(|item| Task { item, done: Done(self.clone()) })
    }

    /// Marks one received item as done.
    ///
    /// # Panics
    ///
    /// Panics if this is called more often than items were sent.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::pool::JoinableQueue;
    ///
    /// fibra::run(|| {
    ///     let queue = JoinableQueue::new();
    ///     queue.send("a job").unwrap();
    ///     queue.recv().unwrap(); // not a task, so the queue does not know when it is done
    ///     assert_eq!(queue.unfinished(), 1);
    ///     queue.task_done();
    ///     assert_eq!(queue.unfinished(), 0);
    /// });
    /// ```
    #[track_caller]
    pub fn task_done(&self) {
        let unfinished = self.core.unfinished.get();
        assert!(unfinished != 0, "`task_done` was called more often than items were sent");
        self.core.unfinished.set(unfinished - 1);
        if unfinished == 1 {
            self.core.drained.release_all();
        }
    }

    /// Returns the number of items that were sent and are not done: in the queue, or being worked
    /// on.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.core.unfinished.get()
    }

    /// Waits until all items that were sent are done.
    ///
    /// A fiber that waits when the last item is done is woken, even if more items are sent before
    /// it runs.
    ///
    /// # Errors
    ///
    /// Returns [`DrainError::Deadlock`] if nothing can ever run again.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::pool::JoinableQueue;
    ///
    /// fibra::run(|| {
    ///     let queue = JoinableQueue::new();
    ///     (0..10).for_each(|n| queue.send(n).unwrap());
    ///     let worker = queue.clone();
    ///     fibra::spawn(move || while worker.recv_task().is_ok() {});
    ///     queue.wait_drained().unwrap();
    ///     assert_eq!(queue.unfinished(), 0);
    ///     queue.close(); // ends the worker
    /// });
    /// ```
    #[track_caller]
    pub fn wait_drained(&self) -> Result<(), DrainError> {
        self.wait_within(Limit::None).map_err(DrainError::new)
    }

    /// Like [`wait_drained`](WorkQueue::wait_drained), but waits no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// Returns [`DrainTimeoutError::Timeout`] if some work is not done when the time is over.
    /// Returns [`DrainTimeoutError::Deadlock`] if nothing can ever run again, and the time limit is
    /// too far away for the clock to show.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::pool::JoinableQueue;
    ///
    /// fibra::run(|| {
    ///     let queue = JoinableQueue::new();
    ///     queue.send("a job").unwrap();
    ///     assert!(queue.wait_drained_timeout(Duration::from_millis(1)).unwrap_err().is_timeout());
    ///     drop(queue.recv_task().unwrap());
    ///     assert!(queue.wait_drained_timeout(Duration::from_millis(1)).is_ok());
    /// });
    /// ```
    #[track_caller]
    pub fn wait_drained_timeout(&self, timeout: Duration) -> Result<(), DrainTimeoutError> {
        self.wait_within(Limit::After(timeout)).map_err(DrainTimeoutError::new)
    }

    /// Like [`wait_drained_timeout`](WorkQueue::wait_drained_timeout), but waits no longer than
    /// until `deadline`, by the clock of the caller's scheduler.
    ///
    /// # Errors
    ///
    /// Like [`wait_drained_timeout`](WorkQueue::wait_drained_timeout).
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn wait_drained_deadline(&self, deadline: Instant) -> Result<(), DrainTimeoutError> {
        self.wait_within(Limit::At(deadline)).map_err(DrainTimeoutError::new)
    }

    #[track_caller]
    fn wait_within(&self, limit: Limit) -> Result<(), Interrupt> {
        let current = current_fiber();
        let by = limit.micros(current);
        spend(current);
        if self.unfinished() == 0 {
            return Ok(());
        }
        self.core.drained.wait(current, by, &DRAINING).map(drop)
    }
}

/// A received item that counts as done when this is dropped.
///
/// # Examples
///
/// ```
/// use fibra::pool::JoinableQueue;
///
/// fibra::run(|| {
///     let queue = JoinableQueue::new();
///     queue.send("a job").unwrap();
///     let task = queue.recv_task().unwrap();
///     assert_eq!((*task, queue.unfinished()), ("a job", 1));
///     drop(task); // done
///     assert_eq!(queue.unfinished(), 0);
/// });
/// ```
pub struct Task<T, O: Order<T>> {
    // Declared first, so that it is dropped before it counts as done.
    item: T,
    done: Done<T, O>,
}

struct Done<T, O: Order<T>>(WorkQueue<T, O>);

impl<T, O: Order<T>> Task<T, O> {
    /// Returns the item, which counts as done from now on.
    pub fn into_inner(self) -> T {
        drop(self.done);
        self.item
    }
}

impl<T, O: Order<T>> Deref for Task<T, O> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.item
    }
}

impl<T, O: Order<T>> DerefMut for Task<T, O> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.item
    }
}

impl<T, O: Order<T>> Drop for Done<T, O> {
    fn drop(&mut self) {
        // The item may have been marked as done by hand as well: that must not panic here.
        if self.0.unfinished() != 0 {
            self.0.task_done();
        }
    }
}

impl<T: fmt::Debug, O: Order<T>> fmt::Debug for Task<T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Task").field(&self.item).finish()
    }
}
