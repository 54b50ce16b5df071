//! The channel of the façade: a `fibra::channel::Channel` with the names, traps, callbacks and
//! error texts of Stackless.
//!
//! Invariant: the checks of [`checks`] come before the operation, which then does what they have
//! predicted.

mod iter;
mod select_arms;
mod settings;

use std::any::Any;
use std::fmt;

use crate::channel::error::WaitError;
use crate::channel::pairing::{Side, Step};
use crate::channel::rendezvous::{self, open};
use crate::channel::waiter::Message;
use crate::fiber::panic::Panic;
use crate::fiber::state::{OnDeadlock, WaitReason};
use crate::sched::core::scheduler::{CurrentFiber, current_fiber};
use crate::stackless::Tasklet;
use crate::stackless::channel_error::{ChannelError, ReceiveError, SendError};
use crate::stackless::channel_event::Arrival;
use crate::stackless::checks::{self, Next};
use crate::stackless::error::thrown;

pub use self::iter::ChannelIter;

static RECEIVING: WaitReason =
    WaitReason::new("receiving on a channel", OnDeadlock::Fail).failing_each_time();
static SENDING: WaitReason =
    WaitReason::new("sending on a channel", OnDeadlock::Fail).failing_each_time();

/// A channel between the tasklets of one thread. It has no buffer: a value passes directly from a
/// sender to a receiver.
///
/// It is a [`fibra::channel::Channel`](crate::channel::Channel), and the same channel can be used
/// by both names: convert between the two with [`inner`](Channel::inner) and `From`. This one also
/// has `block_trap`, [`switch_trap`](crate::stackless::switch_trap), the callbacks and the errors
/// of Stackless.
///
/// A tasklet that does many operations without waiting yields once in a while, so that it does not
/// starve timers and other fibers. It does not yield while it is [atomic](crate::stackless::atomic)
/// or switches are trapped.
///
/// # Examples
///
/// ```
/// use fibra::stackless::{self, Channel};
///
/// fibra::run(|| {
///     let channel = Channel::new();
///     let sender = channel.clone();
///     stackless::spawn(move || {
///         let sent = sender.send_sequence(["spam", "eggs"]).unwrap();
///         assert_eq!(sent, 2);
///     });
///     assert_eq!(channel.receive().unwrap(), "spam");
///     assert_eq!(channel.receive().unwrap(), "eggs");
/// });
/// ```
pub struct Channel<T> {
    inner: rendezvous::Channel<T>,
}

impl<T> Channel<T> {
    /// Creates an open channel. Receivers are preferred: a receiver that waits runs before its
    /// sender continues.
    #[must_use]
    #[track_caller]
    pub fn new() -> Channel<T> {
        Channel { inner: rendezvous::Channel::new() }
    }

    /// Returns the same channel, without the traps and callbacks of Stackless.
    #[must_use]
    pub fn inner(&self) -> &rendezvous::Channel<T> {
        &self.inner
    }

    /// Replaces the value that `sender`, which waits to send here, has brought: the receiver gets
    /// `value` instead. Returns the old value.
    ///
    /// # Errors
    ///
    /// Returns `value` if `sender` does not wait here to send a value. A sender that has brought an
    /// exception keeps it.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless::{self, Channel};
    ///
    /// fibra::run(|| {
    ///     let channel = Channel::new();
    ///     let to = channel.clone();
    ///     let sender = stackless::spawn(move || to.send(1).unwrap());
    ///     stackless::run();
    ///     assert_eq!(channel.replace_message(&sender, 99), Ok(1));
    ///     assert_eq!(channel.receive().unwrap(), 99);
    /// });
    /// ```
    pub fn replace_message(&self, sender: &Tasklet, value: T) -> Result<T, T> {
        match sender.alive() {
            Some(fiber) => self.inner.replace_value(&fiber, value),
            None => Err(value),
        }
    }

    /// Returns an iterator that receives until the channel is closed and no sender waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless::{self, Channel};
    ///
    /// fibra::run(|| {
    ///     let channel = Channel::new();
    ///     let sender = channel.clone();
    ///     stackless::spawn(move || {
    ///         sender.send_sequence(1..=3).unwrap();
    ///         sender.close_and_wake(); // ends the iteration
    ///     });
    ///     assert_eq!(channel.iter().collect::<Vec<_>>(), [1, 2, 3]);
    /// });
    /// ```
    pub fn iter(&self) -> ChannelIter<'_, T> {
        ChannelIter::new(self)
    }
}

impl<T: 'static> Channel<T> {
    /// Sends `value` to the receiver that has waited longest, or waits for one.
    ///
    /// # Errors
    ///
    /// Returns the value, with the [`ChannelError`] that states why it could not be sent. Nothing
    /// else has changed.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber, and with the payload that is thrown into the tasklet while it
    /// waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless::{self, Channel};
    ///
    /// fibra::run(|| {
    ///     let channel = Channel::new();
    ///     let receiver = channel.clone();
    ///     stackless::spawn(move || assert_eq!(receiver.receive().unwrap(), 42));
    ///     channel.send(42).unwrap(); // waits until the tasklet receives
    /// });
    /// ```
    #[inline(always)]
    #[track_caller]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.send_message(current_fiber(), Message::Value(value)).map_err(|(message, reason)| {
            match message {
                Message::Value(value) => SendError { value, reason },
                Message::Unwind(_) => unreachable!("a value was sent"),
            }
        })
    }

    /// Sends an exception: the receiver's [`receive`](Channel::receive) unwinds with `payload`, and
    /// no panic hook runs.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`send`](Channel::send), with the payload.
    ///
    /// # Panics
    ///
    /// Panics like [`send`](Channel::send).
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless::{self, Channel};
    ///
    /// fibra::run(|| {
    ///     let channel = Channel::<u32>::new();
    ///     let receiver = channel.clone();
    ///     stackless::spawn(move || {
    ///         let error = stackless::caught(|| receiver.receive()).unwrap_err();
    ///         assert_eq!(error.downcast_ref(), Some(&"out of milk"));
    ///     });
    ///     stackless::run();
    ///     channel.send_exception("out of milk").unwrap();
    /// });
    /// ```
    #[track_caller]
    pub fn send_exception(&self, payload: impl Any + Send) -> Result<(), SendError<Panic>> {
        let message = Message::Unwind(Box::new(payload));
        self.send_message(current_fiber(), message).map_err(|(message, reason)| match message {
            Message::Unwind(payload) => SendError { value: thrown(payload), reason },
            Message::Value(_) => unreachable!("a payload was sent"),
        })
    }

    /// Sends one value after the other, and returns their number.
    ///
    /// # Errors
    ///
    /// Returns the error of [`send`](Channel::send) for the first value that cannot be sent. The
    /// values after it stay in the iterator, which can be passed with [`by_ref`](Iterator::by_ref).
    ///
    /// # Panics
    ///
    /// Panics like [`send`](Channel::send), and with the payload of a panic in the iterator.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless::{self, Channel};
    ///
    /// fibra::run(|| {
    ///     let channel = Channel::new();
    ///     let receiver = channel.clone();
    ///     stackless::spawn(move || while receiver.receive().is_ok() {});
    ///     assert_eq!(channel.send_sequence("spam".chars()).unwrap(), 4);
    ///     channel.close_and_wake();
    /// });
    /// ```
    #[track_caller]
    pub fn send_sequence(
        &self,
        values: impl IntoIterator<Item = T>,
    ) -> Result<usize, SendError<T>> {
        let mut sent = 0;
        for value in values {
            self.send(value)?;
            sent += 1;
        }
        Ok(sent)
    }

    /// Takes a value from the sender that has waited longest, or waits for one.
    ///
    /// # Errors
    ///
    /// Returns the reason why there is no value.
    ///
    /// # Panics
    ///
    /// Panics like [`send`](Channel::send), and with the payload that
    /// [`send_exception`](Channel::send_exception) has sent.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless::{self, Channel};
    ///
    /// fibra::run(|| {
    ///     let channel = Channel::new();
    ///     let sender = channel.clone();
    ///     stackless::spawn(move || sender.send("spam").unwrap());
    ///     assert_eq!(channel.receive().unwrap(), "spam");
    /// });
    /// ```
    #[inline(always)]
    #[track_caller]
    pub fn receive(&self) -> Result<T, ReceiveError> {
        let current = current_fiber();
        self.admit(current, Side::Receive, None)?;
        match self.inner.recv_unmetered(current, None, &RECEIVING) {
            Ok(message) => Ok(open(message)),
            Err(cut) => Err(reason(current, cut, Side::Receive)),
        }
    }

    #[inline(always)]
    #[track_caller]
    fn send_message(
        &self,
        current: CurrentFiber,
        message: Message<T>,
    ) -> Result<(), (Message<T>, ChannelError)> {
        if let Err(reason) = self.admit(current, Side::Send, message.value()) {
            return Err((message, reason));
        }
        match self.inner.send_unmetered(current, message, None, &SENDING) {
            Ok(()) => {
                checks::after_send(current);
                Ok(())
            }
            Err((message, cut)) => Err((message, reason(current, cut, Side::Send))),
        }
    }

    /// Checks the operation that is about to happen, and calls the callbacks for it.
    #[track_caller]
    fn admit(
        &self,
        current: CurrentFiber,
        side: Side,
        value: Option<&dyn Any>,
    ) -> Result<(), ChannelError> {
        checks::safe_point(current);
        let step = || self.inner.foresee(side);
        let arrival = Arrival { channel: self.id(), side };
        arrival.announce(current, || !matches!(step(), Step::Meet(_)), value)?;
        checks::check(current, step())?;
        checks::before_switch(current, || Next::of(step(), self.inner.first_waiting()));
        // The callbacks may have changed everything.
        checks::check(current, step())
    }
}

/// Converts the reason why a wait ended without a partner.
#[cold]
fn reason(current: CurrentFiber, cut: WaitError, side: Side) -> ChannelError {
    match cut {
        WaitError::Closed => ChannelError::Closed,
        WaitError::Interrupted(interrupt) => ChannelError::of(current, interrupt, side),
    }
}

impl<T> Clone for Channel<T> {
    fn clone(&self) -> Channel<T> {
        Channel { inner: self.inner.clone() }
    }
}

impl<T> Default for Channel<T> {
    #[track_caller]
    fn default() -> Channel<T> {
        Channel::new()
    }
}

impl<T> From<rendezvous::Channel<T>> for Channel<T> {
    fn from(inner: rendezvous::Channel<T>) -> Channel<T> {
        Channel { inner }
    }
}

impl<T> From<Channel<T>> for rendezvous::Channel<T> {
    fn from(channel: Channel<T>) -> rendezvous::Channel<T> {
        channel.inner
    }
}

impl<T> fmt::Debug for Channel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
