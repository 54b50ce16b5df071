//! The sending end of a channel with a buffer.

use std::time::{Duration, Instant};

use crate::channel::error::{SendError, SendTimeoutError, TrySendError, WaitError};
use crate::channel::face::Deliver;
use crate::channel::queue::{Sender, into_value};
use crate::channel::waiter::{Message, WaitOutcome, Waiter};
use crate::sched::lowlevel::{CurrentFiber, Limit, OnDeadlock, WaitReason, current_fiber, spend};

static SENDING: WaitReason = WaitReason::new("sending on a full channel", OnDeadlock::Fail);

impl<T> Sender<T> {
    /// Sends `value`, waiting while the channel is full.
    ///
    /// # Errors
    ///
    /// Returns the value with [`SendError::Closed`] if all receivers are gone, and with
    /// [`SendError::Deadlock`] if nothing can ever run again.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::channel::{SendError, bounded};
    ///
    /// fibra::run(|| {
    ///     let (sender, receiver) = bounded(1);
    ///     sender.send("first").unwrap();
    ///     let waits = fibra::spawn(move || sender.send("second"));
    ///     fibra::yield_now(); // the channel is full: the sender waits
    ///     drop(receiver);
    ///     assert_eq!(waits.join().unwrap(), Err(SendError::Closed("second")));
    /// });
    /// ```
    #[inline(always)]
    #[track_caller]
    #[doc(alias("put", "push"))]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.deliver(value)
    }

    /// Sends `value` if there is room, and never waits.
    ///
    /// # Errors
    ///
    /// Returns the value if the channel is full or all receivers are gone.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::channel::{TrySendError, bounded};
    ///
    /// fibra::run(|| {
    ///     let (sender, receiver) = bounded(1);
    ///     sender.try_send("first").unwrap();
    ///     assert_eq!(sender.try_send("second"), Err(TrySendError::Full("second")));
    ///     drop(receiver);
    ///     assert_eq!(sender.try_send("third"), Err(TrySendError::Closed("third")));
    /// });
    /// ```
    #[track_caller]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.offer(current_fiber(), value)
    }

    /// Sends like [`send`](Sender::send), but waits no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// Returns the value if there was no room in time, or all receivers are gone.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::channel;
    ///
    /// fibra::run(|| {
    ///     let (sender, _receiver) = channel::bounded(1);
    ///     sender.send(1).unwrap();
    ///     let full = sender.send_timeout(2, Duration::from_millis(1)).unwrap_err();
    ///     assert!(full.is_timeout());
    ///     assert_eq!(full.into_inner(), 2);
    /// });
    /// ```
    #[track_caller]
    pub fn send_timeout(&self, value: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        self.deliver_within(value, Limit::After(timeout))
    }

    /// Sends like [`send`](Sender::send), but waits no longer than until `deadline`.
    ///
    /// # Errors
    ///
    /// Like [`send_timeout`](Sender::send_timeout).
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// fibra::run(|| {
    ///     let (sender, _receiver) = fibra::channel::bounded(1);
    ///     let soon = fibra::now() + Duration::from_millis(1);
    ///     assert!(sender.send_deadline("first", soon).is_ok());
    ///     assert_eq!(sender.send_deadline("second", soon).unwrap_err().into_inner(), "second");
    /// });
    /// ```
    #[track_caller]
    pub fn send_deadline(&self, value: T, deadline: Instant) -> Result<(), SendTimeoutError<T>> {
        self.deliver_within(value, Limit::At(deadline))
    }

    /// Returns the number of values that the channel holds now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.buffer.borrow().len()
    }

    /// Returns whether the channel holds no value now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives the value to a waiting receiver, or puts it into the buffer.
    #[inline(always)]
    pub(super) fn offer(&self, current: CurrentFiber, value: T) -> Result<(), TrySendError<T>> {
        let shared = &*self.shared;
        if shared.receivers.get() == 0 {
            return Err(TrySendError::Closed(value));
        }
        let Err(message) = shared
            .waiting_receivers
            .serve(Message::Value(value))
            .map(|receiver| current.sched.make_ready(receiver))
        else {
            return Ok(());
        };
        let value = into_value(message);
        let mut buffer = shared.buffer.borrow_mut();
        if buffer.len() < shared.capacity {
            buffer.push_back(value);
            Ok(())
        } else {
            Err(TrySendError::Full(value))
        }
    }

    #[inline(always)]
    #[track_caller]
    fn wait(&self, current: CurrentFiber, value: T, by: Option<u64>) -> Result<(), (T, WaitError)> {
        let waiter = Waiter::new(current.fiber, Some(Message::Value(value)));
        let cut = match waiter.wait_in(current, &self.shared.waiting_senders, by, &SENDING) {
            Ok(WaitOutcome::Served) => return Ok(()),
            Ok(_) => WaitError::Closed,
            Err(interrupt) => WaitError::Interrupted(interrupt),
        };
        Err((into_value(waiter.take().expect("no receiver has taken the value")), cut))
    }
}

impl<T> Deliver<T> for Sender<T> {
    #[inline(always)]
    #[track_caller]
    fn deliver_until<E>(
        &self,
        value: T,
        limit: Limit,
        error: impl FnOnce(WaitError, T) -> E,
    ) -> Result<(), E> {
        let current = current_fiber();
        let by = limit.micros(current);
        spend(current);
        match self.offer(current, value) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(value)) => {
                self.wait(current, value, by).map_err(|(value, cut)| error(cut, value))
            }
            Err(TrySendError::Closed(value)) => Err(error(WaitError::Closed, value)),
        }
    }
}
