//! The sending side of a queue.

use std::time::{Duration, Instant};

use crate::channel::error::WaitError;
use crate::channel::face::Deliver;
use crate::channel::{SendError, SendTimeoutError, TrySendError};
use crate::pool::queue::WorkQueue;
use crate::pool::queue::order::Order;
use crate::sched::lowlevel::{Limit, OnDeadlock, WaitReason, current_fiber, spend};

static SENDING: WaitReason =
    WaitReason::new("waiting for room in a queue of work", OnDeadlock::Fail);

impl<T, O: Order<T>> WorkQueue<T, O> {
    /// Sends `item`, waiting while the queue is full.
    ///
    /// # Errors
    ///
    /// Returns the item with [`SendError::Closed`] if the queue was closed, and with
    /// [`SendError::Deadlock`] if nothing can ever run again.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::pool::LifoQueue;
    ///
    /// fibra::run(|| {
    ///     let queue = LifoQueue::bounded(1);
    ///     let full = queue.clone();
    ///     fibra::spawn(move || {
    ///         full.send(1).unwrap();
    ///         full.send(2).unwrap(); // waits until there is room
    ///     });
    ///     assert_eq!((queue.recv(), queue.recv()), (Ok(1), Ok(2)));
    /// });
    /// ```
    #[track_caller]
    #[doc(alias("put", "push"))]
    pub fn send(&self, item: T) -> Result<(), SendError<T>> {
        self.deliver(item)
    }

    /// Sends `item` if there is room, and never waits.
    ///
    /// # Errors
    ///
    /// Returns the item if the queue is full or closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::pool::LifoQueue;
    ///
    /// fibra::run(|| {
    ///     let queue = LifoQueue::bounded(1);
    ///     assert!(queue.try_send("first").is_ok());
    ///     assert_eq!(queue.try_send("second").unwrap_err().into_inner(), "second");
    /// });
    /// ```
    #[track_caller]
    pub fn try_send(&self, item: T) -> Result<(), TrySendError<T>> {
        if self.core.is_closed() {
            return Err(TrySendError::Closed(item));
        }
        if !self.core.has_place() {
            return Err(TrySendError::Full(item));
        }
        self.core.put(item, self.core.ticket());
        Ok(())
    }

    /// Sends like [`send`](WorkQueue::send), but waits no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// Returns the item if there was no room in time, or the queue was closed.
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
    ///     let queue = LifoQueue::bounded(1);
    ///     queue.send("first").unwrap();
    ///     let error = queue.send_timeout("second", Duration::from_millis(1)).unwrap_err();
    ///     assert!(error.is_timeout());
    /// });
    /// ```
    #[track_caller]
    pub fn send_timeout(&self, item: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        self.deliver_within(item, Limit::After(timeout))
    }

    /// Sends like [`send`](WorkQueue::send), but waits no longer than until `deadline`.
    ///
    /// # Errors
    ///
    /// Like [`send_timeout`](WorkQueue::send_timeout).
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn send_deadline(&self, item: T, deadline: Instant) -> Result<(), SendTimeoutError<T>> {
        self.deliver_within(item, Limit::At(deadline))
    }
}

impl<T, O: Order<T>> Deliver<T> for WorkQueue<T, O> {
    #[inline(always)]
    #[track_caller]
    fn deliver_until<E>(
        &self,
        item: T,
        limit: Limit,
        error: impl FnOnce(WaitError, T) -> E,
    ) -> Result<(), E> {
        let current = current_fiber();
        let by = limit.micros(current);
        spend(current);
        if self.core.is_closed() {
            return Err(error(WaitError::Closed, item));
        }
        let ticket = self.core.ticket();
        if self.core.has_place() {
            self.core.put(item, ticket);
            return Ok(());
        }
        match self.core.senders.wait(current, by, &SENDING) {
            Ok(true) => {
                self.core.put_promised(item, ticket);
                Ok(())
            }
            Ok(false) => Err(error(WaitError::Closed, item)),
            Err(interrupt) => Err(error(WaitError::Interrupted(interrupt), item)),
        }
    }
}
