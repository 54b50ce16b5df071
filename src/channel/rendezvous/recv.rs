//! The receiving half of a rendezvous channel.

use std::panic;
use std::time::{Duration, Instant};

use crate::channel::error::{RecvError, RecvTimeoutError, TryRecvError, WaitError};
use crate::channel::face::Receive;
use crate::channel::pairing::{After, Side, Step};
use crate::channel::rendezvous::{Channel, follow};
use crate::channel::waiter::{Message, WaitOutcome, Waiter};
use crate::collections::by_value::{by_reference, by_value};
use crate::sched::lowlevel::{CurrentFiber, Limit, OnDeadlock, WaitReason, current_fiber, spend};

static RECEIVING: WaitReason = WaitReason::new("receiving on a channel", OnDeadlock::Fail);

impl<T> Channel<T> {
    /// Takes a value from the first sender that waits, or waits for one.
    ///
    /// # Errors
    ///
    /// Returns [`RecvError::Closed`] if the channel is closed and no sender waits, and
    /// [`RecvError::Deadlock`] if nothing can ever run again.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber, and with the payload that [`send_panic`](Channel::send_panic) has
    /// sent.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::channel::{Channel, RecvError};
    ///
    /// fibra::run(|| {
    ///     let channel = Channel::new();
    ///     let letters = channel.clone();
    ///     fibra::spawn(move || {
    ///         letters.send('a').unwrap();
    ///         letters.close();
    ///     });
    ///     assert_eq!(channel.recv(), Ok('a'));
    ///     assert_eq!(channel.recv(), Err(RecvError::Closed));
    /// });
    /// ```
    #[inline(always)]
    #[track_caller]
    #[doc(alias = "get")]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.receive()
    }

    /// Takes a value from a sender that waits, if there is one. It neither waits nor switches.
    ///
    /// # Errors
    ///
    /// Returns an error that distinguishes an open channel without senders from a closed one.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber, and with the payload that [`send_panic`](Channel::send_panic) has
    /// sent.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::channel::Channel;
    ///
    /// fibra::run(|| {
    ///     let channel = Channel::new();
    ///     assert!(channel.try_recv().is_err()); // no sender waits
    ///     let numbers = channel.clone();
    ///     fibra::spawn(move || numbers.send(1));
    ///     fibra::yield_now();
    ///     assert_eq!(channel.try_recv(), Ok(1));
    /// });
    /// ```
    #[track_caller]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        let current = current_fiber();
        match self.arrive(Side::Receive) {
            Step::Meet(_) => Ok(open(self.collect(current, After::GoOn))),
            Step::Wait => Err(TryRecvError::Empty),
            Step::Refused => Err(TryRecvError::Closed),
        }
    }

    /// Receives like [`recv`](Channel::recv), but waits no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// Returns an error if the time is over or the channel is closed.
    ///
    /// # Panics
    ///
    /// Panics like [`recv`](Channel::recv).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::channel::Channel;
    ///
    /// fibra::run(|| {
    ///     let channel = Channel::<u32>::new();
    ///     let error = channel.recv_timeout(Duration::from_millis(1)).unwrap_err();
    ///     assert!(error.is_timeout());
    /// });
    /// ```
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.receive_within(Limit::After(timeout))
    }

    /// Receives like [`recv`](Channel::recv), but waits no longer than until `deadline`.
    ///
    /// # Errors
    ///
    /// Like [`recv_timeout`](Channel::recv_timeout).
    ///
    /// # Panics
    ///
    /// Panics like [`recv`](Channel::recv).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::channel::Channel;
    ///
    /// fibra::run(|| {
    ///     let channel = Channel::<u32>::new();
    ///     let soon = fibra::now() + Duration::from_millis(1);
    ///     assert!(channel.recv_deadline(soon).unwrap_err().is_timeout());
    /// });
    /// ```
    #[track_caller]
    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.receive_within(Limit::At(deadline))
    }

    /// Returns an iterator that receives until the channel is closed and no sender waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::channel::Channel;
    ///
    /// fibra::run(|| {
    ///     let channel = Channel::new();
    ///     let numbers = channel.clone();
    ///     fibra::spawn(move || {
    ///         (1..=3).for_each(|n| numbers.send(n).unwrap());
    ///         numbers.close(); // ends the iteration
    ///     });
    ///     assert_eq!(channel.iter().sum::<u32>(), 6);
    /// });
    /// ```
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { source: self }
    }

    /// Receives without spending the operation budget: a transfer that keeps the caller running
    /// does not switch. `reason` is that of the wait, if there is one.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn recv_unmetered(
        &self,
        current: CurrentFiber,
        by: Option<u64>,
        reason: &'static WaitReason,
    ) -> Result<Message<T>, WaitError> {
        match self.arrive(Side::Receive) {
            Step::Meet(after) => Ok(self.collect(current, after)),
            Step::Wait => self.wait_to_receive(current, by, reason),
            Step::Refused => Err(WaitError::Closed),
        }
    }

    #[inline(always)]
    pub(super) fn collect(&self, current: CurrentFiber, after: After) -> Message<T> {
        let Some((sender, message)) = self.inner.senders.collect_claimed() else {
            unreachable!("a sender waits")
        };
        follow(current, sender, after);
        message
    }

    #[inline(always)]
    #[track_caller]
    fn wait_to_receive(
        &self,
        current: CurrentFiber,
        by: Option<u64>,
        reason: &'static WaitReason,
    ) -> Result<Message<T>, WaitError> {
        let waiter = Waiter::new(current.fiber, None);
        match waiter.wait_in(current, &self.inner.receivers, by, reason) {
            Ok(WaitOutcome::Served) => Ok(waiter.take().expect("a sender has put its message in")),
            Ok(_) => Err(WaitError::Closed),
            Err(interrupt) => Err(WaitError::Interrupted(interrupt)),
        }
    }
}

impl<T> Receive<T> for Channel<T> {
    #[inline(always)]
    #[track_caller]
    fn receive_until<E>(&self, limit: Limit, error: impl FnOnce(WaitError) -> E) -> Result<T, E> {
        let current = current_fiber();
        let by = limit.micros(current);
        spend(current);
        match self.recv_unmetered(current, by, &RECEIVING) {
            Ok(message) => Ok(open(message)),
            Err(cut) => Err(error(cut)),
        }
    }
}

/// Returns the value of `message`, or raises its unwind.
#[inline(always)]
pub(crate) fn open<T>(message: Message<T>) -> T {
    match message {
        Message::Value(value) => value,
        Message::Unwind(payload) => panic::resume_unwind(payload),
    }
}

/// Receives from a [`Channel`] until it is closed and no sender waits.
///
/// # Panics
///
/// `next` panics with a report if nothing can ever run again.
///
/// # Examples
///
/// ```
/// use fibra::channel::Channel;
///
/// fibra::run(|| {
///     let channel = Channel::new();
///     let numbers = channel.clone();
///     fibra::spawn(move || {
///         (1..=3).for_each(|n| numbers.send(n).unwrap());
///         numbers.close(); // ends the iteration
///     });
///     assert_eq!(channel.iter().sum::<u32>(), 6);
/// });
/// ```
pub struct Iter<'a, T> {
    source: &'a Channel<T>,
}

by_reference!([T] Channel => Iter<T>, T, Channel::receive_next);

/// An iterator that owns a handle to a [`Channel`], and receives until that is closed and no sender
/// waits.
///
/// # Examples
///
/// ```
/// use fibra::channel::Channel;
///
/// fibra::run(|| {
///     let channel = Channel::new();
///     let to = channel.clone();
///     fibra::spawn(move || {
///         (1..=3).for_each(|n| to.send(n).unwrap());
///         to.close();
///     });
///     let mut sum = 0;
///     for n in channel {
///         sum += n;
///     }
///     assert_eq!(sum, 6);
/// });
/// ```
pub struct IntoIter<T> {
    source: Channel<T>,
}

by_value!([T] Channel => IntoIter<T>, T);
