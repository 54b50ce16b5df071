//! The receiving half of a shared channel.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::queue::Met;
use super::waiter::Waiter;
use super::{SharedChannel, go_on};
use crate::channel::error::TryRecvError;
use crate::channel::pairing::Side;
use crate::channel::rendezvous::open;
use crate::channel::waiter::Message;
use crate::collections::by_value::by_reference;
use crate::fiber::state::{OnDeadlock, WaitReason};
use crate::sched::core::limit::Limit;
use crate::sched::core::scheduler::{current_fiber, scheduler};
use crate::sched::shared::ticket::WaitOutcome;
use crate::sched::threads::outside::wait_for_others;
use crate::stackless::channel_error::{ChannelError, ReceiveError};
use crate::stackless::checks;

static RECEIVING: WaitReason = WaitReason::new("receiving on a shared channel", OnDeadlock::Fail)
    .ended_by_outsiders()
    .failing_each_time();

impl<T: Send + 'static> SharedChannel<T> {
    /// Takes a value from the sender that has waited longest, in whichever thread, or waits for
    /// one.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`Channel::receive`](crate::stackless::Channel::receive).
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber, with the payload that is thrown into the tasklet while it waits,
    /// and with the payload that [`send_exception`](Self::send_exception) has sent.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless::SharedChannel;
    ///
    /// let channel = SharedChannel::new();
    /// let sender = channel.clone();
    /// std::thread::spawn(move || fibra::run(|| sender.send("across").unwrap()));
    /// assert_eq!(fibra::run(|| channel.receive().unwrap()), "across");
    /// ```
    #[track_caller]
    pub fn receive(&self) -> Result<T, ReceiveError> {
        self.receive_until(Limit::None).map(open)
    }

    /// Receives like [`receive`](Self::receive), but waits no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`receive`](Self::receive), and [`ChannelError::Timeout`].
    ///
    /// # Panics
    ///
    /// Panics like [`receive`](Self::receive).
    #[track_caller]
    pub fn receive_timeout(&self, timeout: Duration) -> Result<T, ReceiveError> {
        self.receive_until(Limit::After(timeout)).map(open)
    }

    /// Like [`receive`](Self::receive), but waits no longer than until `deadline`, by the clock of
    /// the caller's scheduler.
    ///
    /// # Errors
    ///
    /// Like [`receive_timeout`](Self::receive_timeout).
    ///
    /// # Panics
    ///
    /// Like [`receive`](Self::receive).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::stackless::{ChannelError, SharedChannel};
    ///
    /// fibra::run(|| {
    ///     let channel = SharedChannel::<u32>::new();
    ///     let soon = fibra::now() + Duration::from_millis(1);
    ///     assert!(matches!(channel.receive_deadline(soon), Err(ChannelError::Timeout)));
    /// });
    /// ```
    #[track_caller]
    pub fn receive_deadline(&self, deadline: Instant) -> Result<T, ReceiveError> {
        self.receive_until(Limit::At(deadline)).map(open)
    }

    /// Takes a value from a sender that waits, if there is one. It neither waits nor switches, and
    /// may be called on plain threads, too.
    ///
    /// # Errors
    ///
    /// Returns [`TryRecvError::Empty`] if no sender waits, and [`TryRecvError::Closed`] if in
    /// addition the channel is closed.
    ///
    /// # Panics
    ///
    /// Panics with the payload that [`send_exception`](Self::send_exception) has sent.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless::SharedChannel;
    ///
    /// let channel = SharedChannel::<u32>::new();
    /// assert!(channel.try_receive().is_err()); // no sender waits
    /// ```
    pub fn try_receive(&self) -> Result<T, TryRecvError> {
        let sched = scheduler();
        let mut message = None;
        let mut state = self.lock();
        let exchange = |waiter: &Waiter<T>| collect(waiter, &mut message);
        let met = state.meet(Side::Receive, None, |_| Ok(()), exchange);
        let closing = state.pairing.closing;
        drop(state);
        if let Ok(Met::Partner(partner, _)) = met {
            partner.ticket().wake(sched);
        }
        match message {
            Some(message) => Ok(open(message)),
            None if closing => Err(TryRecvError::Closed),
            None => Err(TryRecvError::Empty),
        }
    }

    /// Returns an iterator that receives until the channel is closed and no sender waits.
    pub fn iter(&self) -> SharedIter<'_, T> {
        SharedIter { source: self }
    }

    #[track_caller]
    fn receive_until(&self, limit: Limit) -> Result<Message<T>, ChannelError> {
        let current = current_fiber();
        let by = limit.micros(current);
        checks::safe_point(current);
        self.announce(current, Side::Receive, None)?;
        let mut message = None;
        let mut state = self.lock();
        let met = state.meet(
            Side::Receive,
            Some(&current.sched),
            |step| checks::check(current, step),
            |waiter| collect(waiter, &mut message),
        )?;
        if let Met::Partner(partner, after) = met {
            drop(state);
            go_on(current, &partner, after);
            return Ok(message.expect("the partner had one"));
        }
        let waiter = Arc::new(Waiter::new(current, Side::Receive, &self.inner.tally, None));
        state.join(Side::Receive, waiter.clone(), self.inner.tally.waiting(Side::Receive));
        drop(state);
        match wait_for_others(current, &*waiter, by, &RECEIVING) {
            Ok(WaitOutcome::Served) => {
                Ok(waiter.take().expect("the partner has put its message in"))
            }
            Ok(_) => Err(ChannelError::Closed),
            Err(interrupt) => Err(ChannelError::of(current, interrupt, Side::Receive)),
        }
    }
}

/// Takes the message of `waiter`, if it still waits. Returns whether it did.
fn collect<T>(waiter: &Waiter<T>, message: &mut Option<Message<T>>) -> bool {
    *message = waiter.collect();
    message.is_some()
}

/// An iterator that receives from a [`SharedChannel`] until it is closed and no sender waits.
///
/// # Panics
///
/// `next` panics if it cannot receive for another reason than that the channel is closed.
pub struct SharedIter<'a, T> {
    source: &'a SharedChannel<T>,
}

by_reference!([T: Send + 'static] SharedChannel => SharedIter<T>, T, next_of);

#[track_caller]
fn next_of<T: Send + 'static>(channel: &SharedChannel<T>) -> Option<T> {
    if channel.has_ended() { None } else { checks::next_of(channel.receive()) }
}
