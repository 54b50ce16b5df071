//! The channel of the façade: that of `fibra::channel`, with Stackless' names, traps, callbacks and
//! texts.
//!
//! Invariant: the checks of [`gate`] come before the operation, which then does what they foresaw.

use std::any::Any;
use std::fmt;

use crate::channel::error::Cut;
use crate::channel::pairing::{Preference, Side, Step};
use crate::channel::rendezvous::{self, open};
use crate::channel::waiter::Message;
use crate::fiber::panic::Panic;
use crate::fiber::state::{OnDeadlock, WaitReason};
use crate::sched::core::scheduler::{Here, here};
use crate::select::{self, Sink, Source};
use crate::stackless::Tasklet;
use crate::stackless::channel_error::{ChannelError, ReceiveError, SendError};
use crate::stackless::channel_event::{Arrival, ChannelId};
use crate::stackless::error::thrown;
use crate::stackless::gate::{self, Next};

static RECEIVING: WaitReason =
    WaitReason::new("receiving on a channel", OnDeadlock::Fail).failing_each_time();
static SENDING: WaitReason =
    WaitReason::new("sending on a channel", OnDeadlock::Fail).failing_each_time();

/// A channel between the tasklets of one thread: values go from hand to hand (S-134 to S-163).
///
/// It is a [`fibra::channel::Channel`](crate::channel::Channel), and the same one can be used by
/// both names: [`inner`](Channel::inner) and `From` lead from one to the other. This one knows
/// `block_trap`, [`switch_trap`](crate::stackless::switch_trap), the callbacks and the errors of
/// Stackless.
///
/// A tasklet that does many operations without waiting gives way once in a while, so that it does
/// not starve timers and others; not while it is [atomic](crate::stackless::atomic) or switches are
/// trapped.
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
    /// An open channel, with the receiver preferred (S-134).
    #[must_use]
    pub fn new() -> Channel<T> {
        Channel { inner: rendezvous::Channel::new() }
    }

    /// The same channel, without the traps and callbacks of Stackless.
    #[must_use]
    pub fn inner(&self) -> &rendezvous::Channel<T> {
        &self.inner
    }

    /// The number of senders that wait, or minus the number of receivers that wait (S-135).
    #[must_use]
    pub fn balance(&self) -> isize {
        self.inner.balance()
    }

    /// Which of two partners runs first (S-140).
    #[must_use]
    pub fn preference(&self) -> Preference {
        self.inner.preference()
    }

    /// Says which of two partners runs first.
    pub fn set_preference(&self, preference: Preference) {
        self.inner.set_preference(preference);
    }

    /// Whether every meeting lets all other tasklets run first (S-141).
    #[must_use]
    pub fn schedule_all(&self) -> bool {
        self.inner.schedule_all()
    }

    /// Lets the caller of each meeting go behind everybody, whatever the preference (S-146).
    pub fn set_schedule_all(&self, schedule_all: bool) {
        self.inner.set_schedule_all(schedule_all);
    }

    /// Closes the channel: from now on operations that would have to wait are refused. Those who
    /// wait are not woken, and can still be met (S-156, S-159).
    pub fn close(&self) {
        self.inner.close_quietly();
    }

    /// Closes the channel and refuses those that wait, too: senders get their values back. This is
    /// [`close`](rendezvous::Channel::close) of `fibra::channel`.
    pub fn close_and_wake(&self) {
        self.inner.close();
    }

    /// Opens a closed channel again (S-158).
    pub fn open(&self) {
        self.inner.open();
    }

    /// Whether [`close`](Channel::close) was called (S-156).
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.inner.is_closing()
    }

    /// Whether it is closed and nobody waits at it any more (S-157).
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// Those who wait at it, the first first (S-136).
    #[must_use]
    pub fn queue(&self) -> Vec<Tasklet> {
        self.inner.waiting().into_iter().map(Tasklet::of).collect()
    }

    /// The first of those who wait at it (S-136).
    #[must_use]
    pub fn first(&self) -> Option<Tasklet> {
        self.inner.first_waiting().map(Tasklet::of)
    }

    /// What tells it from all other channels that exist.
    #[must_use]
    pub fn id(&self) -> ChannelId {
        ChannelId::of_address(self.inner.address())
    }

    /// Puts `value` in the place of what `sender`, which waits to send here, has brought: the
    /// receiver gets it instead (S-161). Returns what it was.
    ///
    /// # Errors
    ///
    /// Gives `value` back if `sender` does not wait here to send a value. One that has brought an
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

    /// Receives until the channel is closed and no sender waits (S-154, S-160).
    pub fn iter(&self) -> ChannelIter<'_, T> {
        ChannelIter { channel: self }
    }
}

impl<T: 'static> Channel<T> {
    /// Gives `value` to the first receiver that waits, or waits for one (S-138, S-140 to S-144).
    ///
    /// # Errors
    ///
    /// [`ChannelError`] says why it could not be sent; the value comes back, and nothing has
    /// happened.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber, and with what is thrown at the tasklet while it waits.
    #[inline(always)]
    #[track_caller]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.send_message(here(), Message::Value(value)).map_err(
            |(message, reason)| match message {
                Message::Value(value) => SendError { value, reason },
                Message::Unwind(_) => unreachable!("a value was sent"),
            },
        )
    }

    /// Sends an unwind: the receiver's [`receive`](Channel::receive) panics with `payload`, and no
    /// panic hook runs (S-151, S-152).
    ///
    /// # Errors
    ///
    /// As [`send`](Channel::send); the payload comes back.
    ///
    /// # Panics
    ///
    /// As [`send`](Channel::send).
    #[track_caller]
    pub fn send_exception(&self, payload: impl Any + Send) -> Result<(), SendError<Panic>> {
        let message = Message::Unwind(Box::new(payload));
        self.send_message(here(), message).map_err(|(message, reason)| match message {
            Message::Unwind(payload) => SendError { value: thrown(payload), reason },
            Message::Value(_) => unreachable!("a payload was sent"),
        })
    }

    /// Sends one value after the other, and returns how many they were (S-153).
    ///
    /// # Errors
    ///
    /// As [`send`](Channel::send), for the first value that cannot be sent. Those behind it stay in
    /// the iterator, which can be lent with [`by_ref`](Iterator::by_ref).
    ///
    /// # Panics
    ///
    /// As [`send`](Channel::send), and with what the iterator panics with.
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

    /// Takes a value from the first sender that waits, or waits for one (S-139).
    ///
    /// # Errors
    ///
    /// Says why there is none.
    ///
    /// # Panics
    ///
    /// As [`send`](Channel::send), and with what [`send_exception`](Channel::send_exception) has
    /// sent.
    #[inline(always)]
    #[track_caller]
    pub fn receive(&self) -> Result<T, ReceiveError> {
        let here = here();
        self.admit(here, Side::Receive, None)?;
        match self.inner.recv_unmetered(here, None, &RECEIVING) {
            Ok(message) => Ok(open(message)),
            Err(cut) => Err(reason(here, cut, Side::Receive)),
        }
    }

    #[inline(always)]
    #[track_caller]
    fn send_message(
        &self,
        here: Here,
        message: Message<T>,
    ) -> Result<(), (Message<T>, ChannelError)> {
        if let Err(reason) = self.admit(here, Side::Send, message.value()) {
            return Err((message, reason));
        }
        match self.inner.send_unmetered(here, message, None, &SENDING) {
            Ok(()) => {
                gate::after_send(here);
                Ok(())
            }
            Err((message, cut)) => Err((message, reason(here, cut, Side::Send))),
        }
    }

    /// Checks and announces what is about to be done.
    #[track_caller]
    fn admit(&self, here: Here, side: Side, value: Option<&dyn Any>) -> Result<(), ChannelError> {
        gate::safe_point(here);
        let step = || self.inner.arrive(side);
        let arrival = Arrival { channel: self.id(), side };
        arrival.announce(here, || !matches!(step(), Step::Meet(_)), value)?;
        gate::check(here, step())?;
        gate::before_switch(here, || Next::of(step(), self.inner.first_waiting()));
        // The callbacks may have changed everything.
        gate::check(here, step())
    }
}

/// What an operation that was cut short is to say.
#[cold]
fn reason(here: Here, cut: Cut, side: Side) -> ChannelError {
    match cut {
        Cut::Closed => ChannelError::Closed,
        Cut::Short(interrupt) => ChannelError::of(here, interrupt, side),
    }
}

impl<T> Clone for Channel<T> {
    fn clone(&self) -> Channel<T> {
        Channel { inner: self.inner.clone() }
    }
}

impl<T> Default for Channel<T> {
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

// In a `select!` it is the channel that it wraps: no callback is called, and no trap is looked at.
impl<T: 'static> Source for Channel<T> {
    type Item = T;

    fn recv_arm(&self) -> select::Recv<'_, T> {
        Source::recv_arm(self.inner())
    }
}

impl<T: 'static> Sink for Channel<T> {
    type Item = T;

    fn send_arm(&self, value: T) -> select::Send<'_, T> {
        Sink::send_arm(self.inner(), value)
    }
}

impl<T> fmt::Debug for Channel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// Receives from a [`Channel`] until it is closed and no sender waits (S-154).
///
/// # Panics
///
/// `next` panics if it cannot receive for another reason than that the channel is closed.
pub struct ChannelIter<'a, T> {
    channel: &'a Channel<T>,
}

impl<T: 'static> Iterator for ChannelIter<'_, T> {
    type Item = T;

    #[track_caller]
    fn next(&mut self) -> Option<T> {
        if self.channel.is_closing() && self.channel.balance() <= 0 {
            return None;
        }
        gate::next_of(self.channel.receive())
    }
}

impl<'a, T: 'static> IntoIterator for &'a Channel<T> {
    type Item = T;
    type IntoIter = ChannelIter<'a, T>;

    fn into_iter(self) -> ChannelIter<'a, T> {
        self.iter()
    }
}

impl<T> fmt::Debug for ChannelIter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChannelIter").field(self.channel).finish()
    }
}
