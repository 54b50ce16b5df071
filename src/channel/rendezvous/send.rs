//! The sending half of a rendezvous channel.

use std::any::Any;
use std::time::{Duration, Instant};

use crate::channel::error::{SendError, SendTimeoutError, TrySendError, WaitError};
use crate::channel::face::Deliver;
use crate::channel::pairing::{Side, Step};
use crate::channel::rendezvous::{Channel, follow};
use crate::channel::waiter::{Message, WaitOutcome, Waiter};
use crate::sched::lowlevel::{
    CurrentFiber, FiberPtr, Limit, OnDeadlock, WaitReason, current_fiber, spend,
};

static SENDING: WaitReason = WaitReason::new("sending on a channel", OnDeadlock::Fail);

impl<T> Channel<T> {
    /// Gives `value` to the first receiver that waits, or waits for one.
    ///
    /// # Errors
    ///
    /// Returns the value with [`SendError::Closed`] if the channel is closed and no receiver waits,
    /// and with [`SendError::Deadlock`] if nothing can ever run again.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::channel::Channel;
    ///
    /// fibra::run(|| {
    ///     let channel = Channel::new();
    ///     let numbers = channel.clone();
    ///     let receiver = fibra::spawn(move || numbers.recv().unwrap() + numbers.recv().unwrap());
    ///     channel.send(1).unwrap();
    ///     channel.send(2).unwrap();
    ///     assert_eq!(receiver.join().unwrap(), 3);
    /// });
    /// ```
    #[inline(always)]
    #[track_caller]
    #[doc(alias = "put")]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.deliver(value)
    }

    /// Gives `value` to a receiver that waits, if there is one. It neither waits nor switches: the
    /// receiver is appended to the run ring, independent of the preference.
    ///
    /// # Errors
    ///
    /// Returns the value if no receiver waits.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::channel::Channel;
    ///
    /// fibra::run(|| {
    ///     let channel = Channel::new();
    ///     assert_eq!(channel.try_send(1).unwrap_err().into_inner(), 1); // no receiver waits
    ///     let numbers = channel.clone();
    ///     let receiver = fibra::spawn(move || numbers.recv());
    ///     fibra::yield_now();
    ///     channel.try_send(2).unwrap();
    ///     assert_eq!(receiver.join().unwrap(), Ok(2));
    /// });
    /// ```
    #[track_caller]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let current = current_fiber();
        match self.arrive(Side::Send) {
            Step::Meet(_) => {
                self.serve(Message::Value(value), |receiver| current.sched.make_ready(receiver));
                Ok(())
            }
            Step::Wait => Err(TrySendError::Full(value)),
            Step::Refused => Err(TrySendError::Closed(value)),
        }
    }

    /// Sends like [`send`](Channel::send), but waits no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// Returns the value if it could not be sent in time, or the channel is closed.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::channel::Channel;
    ///
    /// fibra::run(|| {
    ///     let channel = Channel::new();
    ///     let error = channel.send_timeout("letter", Duration::from_millis(1)).unwrap_err();
    ///     assert!(error.is_timeout());
    ///     assert_eq!(error.into_inner(), "letter"); // nothing received it
    /// });
    /// ```
    #[track_caller]
    pub fn send_timeout(&self, value: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        self.deliver_within(value, Limit::After(timeout))
    }

    /// Sends like [`send`](Channel::send), but waits no longer than until `deadline`.
    ///
    /// # Errors
    ///
    /// Like [`send_timeout`](Channel::send_timeout).
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::channel::Channel;
    ///
    /// fibra::run(|| {
    ///     let channel = Channel::new();
    ///     let soon = fibra::now() + Duration::from_millis(1);
    ///     assert!(channel.send_deadline("letter", soon).unwrap_err().is_timeout());
    /// });
    /// ```
    #[track_caller]
    pub fn send_deadline(&self, value: T, deadline: Instant) -> Result<(), SendTimeoutError<T>> {
        self.deliver_within(value, Limit::At(deadline))
    }

    /// Sends an unwind: the receiver's `recv` panics with `payload`, without running the panic
    /// hook.
    ///
    /// This is Stackless' `send_exception`, for protocols in which the consumer fails like the
    /// producer did: for example, it passes on a panic that was joined.
    ///
    /// # Errors
    ///
    /// Returns the payload with the errors of [`send`](Channel::send).
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::channel::Channel;
    ///
    /// fibra::run(|| {
    ///     let channel = Channel::<u32>::new();
    ///     let to = channel.clone();
    ///     fibra::spawn(move || to.send_panic(Box::new("no more numbers")));
    ///     let error = fibra::spawn(move || channel.recv()).join().unwrap_err();
    ///     assert_eq!(error.to_string(), "the fiber panicked: no more numbers");
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn send_panic(
        &self,
        payload: Box<dyn Any + Send>,
    ) -> Result<(), SendError<Box<dyn Any + Send>>> {
        self.send_message(current_fiber(), Message::Unwind(payload), None).map_err(
            |(message, cut)| match message {
                Message::Unwind(payload) => cut.into_send_error(payload),
                Message::Value(_) => unreachable!("a payload was sent"),
            },
        )
    }

    #[inline(always)]
    #[track_caller]
    fn send_message(
        &self,
        current: CurrentFiber,
        message: Message<T>,
        by: Option<u64>,
    ) -> Result<(), (Message<T>, WaitError)> {
        spend(current);
        self.send_unmetered(current, message, by, &SENDING)
    }

    /// Like `send_message`, but without spending the operation budget: a transfer that keeps the
    /// caller running does not switch. `reason` is that of the wait, if there is one.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn send_unmetered(
        &self,
        current: CurrentFiber,
        message: Message<T>,
        by: Option<u64>,
        reason: &'static WaitReason,
    ) -> Result<(), (Message<T>, WaitError)> {
        match self.arrive(Side::Send) {
            Step::Meet(after) => {
                self.serve(message, |receiver| follow(current, receiver, after));
                Ok(())
            }
            Step::Wait => self.wait_to_send(current, message, by, reason),
            Step::Refused => Err((message, WaitError::Closed)),
        }
    }

    /// Gives `message` to the first waiting receiver; `then` puts it back into the ring.
    #[inline(always)]
    pub(super) fn serve(&self, message: Message<T>, then: impl FnOnce(FiberPtr)) {
        match self.inner.receivers.serve_claimed(message) {
            Ok(receiver) => then(receiver),
            Err(_) => unreachable!("a receiver waits"),
        }
    }

    #[inline(always)]
    #[track_caller]
    fn wait_to_send(
        &self,
        current: CurrentFiber,
        message: Message<T>,
        by: Option<u64>,
        reason: &'static WaitReason,
    ) -> Result<(), (Message<T>, WaitError)> {
        let waiter = Waiter::new(current.fiber, Some(message));
        let cut = match waiter.wait_in(current, &self.inner.senders, by, reason) {
            Ok(WaitOutcome::Served) => return Ok(()),
            Ok(_) => WaitError::Closed,
            Err(interrupt) => WaitError::Interrupted(interrupt),
        };
        Err((waiter.take().expect("no receiver has taken the message"), cut))
    }
}

impl<T> Deliver<T> for Channel<T> {
    #[inline(always)]
    #[track_caller]
    fn deliver_until<E>(
        &self,
        value: T,
        limit: Limit,
        error: impl FnOnce(WaitError, T) -> E,
    ) -> Result<(), E> {
        let current = current_fiber();
        let sent = self.send_message(current, Message::Value(value), limit.micros(current));
        sent.map_err(|(message, cut)| match message {
            Message::Value(value) => error(cut, value),
            Message::Unwind(_) => unreachable!("a value was sent"),
        })
    }
}
