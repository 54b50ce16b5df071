//! The receiving side of a queue.

use std::time::{Duration, Instant};

use crate::channel::error::WaitError;
use crate::channel::face::Receive;
use crate::channel::{RecvError, RecvTimeoutError, TryRecvError};
use crate::pool::queue::WorkQueue;
use crate::pool::queue::order::Order;
use crate::sched::lowlevel::{Limit, OnDeadlock, WaitReason, current_fiber, spend};

static RECEIVING: WaitReason =
    WaitReason::new("waiting for work in an empty queue", OnDeadlock::Fail);

impl<T, O: Order<T>> WorkQueue<T, O> {
    /// Takes the first item, waiting while there is none.
    ///
    /// # Errors
    ///
    /// Returns [`RecvError::Closed`] if the queue was closed and is empty, and
    /// [`RecvError::Deadlock`] if nothing can ever run again.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::pool::PriorityQueue;
    ///
    /// fibra::run(|| {
    ///     let queue = PriorityQueue::new();
    ///     queue.send(2).unwrap();
    ///     queue.send(1).unwrap();
    ///     assert_eq!(queue.recv(), Ok(1)); // the smallest first
    /// });
    /// ```
    #[track_caller]
    #[doc(alias("get", "pop"))]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.receive()
    }

    /// Takes the first item if there is one, and never waits.
    ///
    /// # Errors
    ///
    /// Returns an error that distinguishes an empty queue from one that was closed and is empty.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::pool::LifoQueue;
    ///
    /// fibra::run(|| {
    ///     let queue = LifoQueue::new();
    ///     assert!(queue.try_recv().unwrap_err().is_empty());
    ///     queue.try_send(1).unwrap();
    ///     queue.try_send(2).unwrap();
    ///     assert_eq!(queue.try_recv(), Ok(2)); // the newest first
    /// });
    /// ```
    #[track_caller]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        if self.core.has_item() {
            if let Some(item) = self.core.take() {
                return Ok(item);
            }
        }
        Err(if self.core.is_exhausted() { TryRecvError::Closed } else { TryRecvError::Empty })
    }

    /// Receives like [`recv`](WorkQueue::recv), but waits no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// Returns an error if the time is over, or if the queue was closed and is empty.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::pool::LifoQueue;
    ///
    /// fibra::run(|| {
    ///     let queue = LifoQueue::<u32>::new();
    ///     assert!(queue.recv_timeout(Duration::from_millis(1)).unwrap_err().is_timeout());
    /// });
    /// ```
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.receive_within(Limit::After(timeout))
    }

    /// Receives like [`recv`](WorkQueue::recv), but waits no longer than until `deadline`.
    ///
    /// # Errors
    ///
    /// Like [`recv_timeout`](WorkQueue::recv_timeout).
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.receive_within(Limit::At(deadline))
    }
}

impl<T, O: Order<T>> Receive<T> for WorkQueue<T, O> {
    #[inline(always)]
    #[track_caller]
    fn receive_until<E>(&self, limit: Limit, error: impl FnOnce(WaitError) -> E) -> Result<T, E> {
        let current = current_fiber();
        let by = limit.micros(current);
        spend(current);
        match self.try_recv() {
            Ok(item) => return Ok(item),
            Err(TryRecvError::Closed) => return Err(error(WaitError::Closed)),
            Err(TryRecvError::Empty) => {}
        }
        match self.core.receivers.wait(current, by, &RECEIVING) {
            Ok(true) => Ok(self.core.take_promised().expect("it was promised an item")),
            Ok(false) => Err(error(WaitError::Closed)),
            Err(interrupt) => Err(error(WaitError::Interrupted(interrupt))),
        }
    }
}
