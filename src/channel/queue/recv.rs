//! The receiving end of a channel with a buffer.

use std::time::{Duration, Instant};

use crate::channel::error::{RecvError, RecvTimeoutError, TryRecvError, WaitError};
use crate::channel::face::Receive;
use crate::channel::queue::{Receiver, into_value};
use crate::channel::waiter::{WaitOutcome, Waiter};
use crate::collections::by_value::{by_reference, by_value};
use crate::sched::lowlevel::{CurrentFiber, Limit, OnDeadlock, WaitReason, current_fiber, spend};

static RECEIVING: WaitReason = WaitReason::new("receiving on an empty channel", OnDeadlock::Fail);

impl<T> Receiver<T> {
    /// Takes the first value, waiting while there is none.
    ///
    /// # Errors
    ///
    /// Returns [`RecvError::Closed`] if the channel is empty and all senders are gone, and
    /// [`RecvError::Deadlock`] if nothing can ever run again.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::channel::{RecvError, unbounded};
    ///
    /// fibra::run(|| {
    ///     let (sender, receiver) = unbounded();
    ///     fibra::spawn(move || sender.send("the only one").unwrap());
    ///     assert_eq!(receiver.recv(), Ok("the only one"));
    ///     assert_eq!(receiver.recv(), Err(RecvError::Closed));
    /// });
    /// ```
    #[inline(always)]
    #[track_caller]
    #[doc(alias("get", "pop"))]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.receive()
    }

    /// Takes the first value if there is one, and never waits.
    ///
    /// # Errors
    ///
    /// Returns an error that distinguishes an empty channel from one that will never have a value
    /// again.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::channel;
    ///
    /// fibra::run(|| {
    ///     let (sender, receiver) = channel::unbounded();
    ///     assert!(receiver.try_recv().is_err());
    ///     sender.send(1).unwrap();
    ///     assert_eq!(receiver.try_recv(), Ok(1));
    /// });
    /// ```
    #[track_caller]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.take(current_fiber())
    }

    /// Receives like [`recv`](Receiver::recv), but waits no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// Returns an error if the time is over, or if the channel is empty and all senders are gone.
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
    ///     let (_sender, receiver) = fibra::channel::unbounded::<u32>();
    ///     assert!(receiver.recv_timeout(Duration::from_millis(1)).unwrap_err().is_timeout());
    /// });
    /// ```
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.receive_within(Limit::After(timeout))
    }

    /// Receives like [`recv`](Receiver::recv), but waits no longer than until `deadline`.
    ///
    /// # Errors
    ///
    /// Like [`recv_timeout`](Receiver::recv_timeout).
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
    ///     let (_sender, receiver) = channel::unbounded::<u32>();
    ///     let deadline = fibra::now() + Duration::from_millis(1);
    ///     assert!(receiver.recv_deadline(deadline).unwrap_err().is_timeout());
    /// });
    /// ```
    #[track_caller]
    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.receive_within(Limit::At(deadline))
    }

    /// Returns an iterator that receives until the channel is empty and all senders are gone.
    ///
    /// # Panics
    ///
    /// `next` panics with a report if nothing can ever run again.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::channel;
    ///
    /// fibra::run(|| {
    ///     let (sender, receiver) = channel::bounded(1);
    ///     fibra::spawn(move || (1..=3).for_each(|n| sender.send(n).unwrap()));
    ///     assert_eq!(receiver.iter().sum::<u32>(), 6);
    /// });
    /// ```
    pub fn iter(&self) -> Values<'_, T> {
        Values { source: self }
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

    /// Takes the first value of the buffer, whose place goes to a waiting sender; or, if the buffer
    /// is empty, takes the value of that sender.
    #[inline(always)]
    pub(super) fn take(&self, current: CurrentFiber) -> Result<T, TryRecvError> {
        let shared = &*self.shared;
        let first = shared.buffer.borrow_mut().pop_front();
        let from_sender = || {
            let (sender, message) = shared.waiting_senders.collect()?;
            current.sched.make_ready(sender);
            Some(into_value(message))
        };
        match first {
            Some(value) => {
                if let Some(next) = from_sender() {
                    shared.buffer.borrow_mut().push_back(next);
                }
                Ok(value)
            }
            None => from_sender().ok_or_else(|| match shared.senders.get() {
                0 => TryRecvError::Closed,
                _ => TryRecvError::Empty,
            }),
        }
    }

    #[inline(always)]
    #[track_caller]
    fn wait(&self, current: CurrentFiber, by: Option<u64>) -> Result<T, WaitError> {
        let waiter = Waiter::new(current.fiber, None);
        match waiter.wait_in(current, &self.shared.waiting_receivers, by, &RECEIVING) {
            Ok(WaitOutcome::Served) => {
                Ok(into_value(waiter.take().expect("a sender has put its value in")))
            }
            Ok(_) => Err(WaitError::Closed),
            Err(interrupt) => Err(WaitError::Interrupted(interrupt)),
        }
    }
}

impl<T> Receive<T> for Receiver<T> {
    #[inline(always)]
    #[track_caller]
    fn receive_until<E>(&self, limit: Limit, error: impl FnOnce(WaitError) -> E) -> Result<T, E> {
        let current = current_fiber();
        let by = limit.micros(current);
        spend(current);
        match self.take(current) {
            Ok(value) => Ok(value),
            Err(TryRecvError::Empty) => self.wait(current, by).map_err(error),
            Err(TryRecvError::Closed) => Err(error(WaitError::Closed)),
        }
    }
}

/// An iterator over the values that a [`Receiver`] receives.
///
/// # Examples
///
/// ```
/// use fibra::channel;
///
/// fibra::run(|| {
///     let (sender, receiver) = channel::unbounded();
///     (1..=3).for_each(|n| sender.send(n).unwrap());
///     drop(sender); // ends the iteration
///     assert_eq!(receiver.iter().collect::<Vec<_>>(), [1, 2, 3]);
/// });
/// ```
pub struct Values<'a, T> {
    source: &'a Receiver<T>,
}

by_reference!([T] Receiver => Values<T>, T, Receiver::receive_next);

/// An iterator that owns a [`Receiver`]: when it is dropped, so is that handle to the channel.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let (sender, receiver) = fibra::channel::unbounded();
///     (1..=3).for_each(|n| sender.send(n).unwrap());
///     drop(sender);
///     let mut sum = 0;
///     for n in receiver {
///         sum += n;
///     }
///     assert_eq!(sum, 6);
/// });
/// ```
pub struct IntoValues<T> {
    source: Receiver<T>,
}

by_value!([T] Receiver => IntoValues<T>, T);
