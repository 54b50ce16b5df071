//! The receiving half of a shared channel.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::queue::Met;
use super::waiter::Waiter;
use super::{SharedChannel, go_on};
use crate::channel::error::TryRecvError;
use crate::channel::pairing::Side;
use crate::channel::rendezvous::open;
use crate::channel::waiter::Message;
use crate::fiber::state::{OnDeadlock, WaitReason};
use crate::sched::core::deadline::deadline_after;
use crate::sched::core::scheduler::{Here, here, scheduler};
use crate::sched::shared::ticket::Fate;
use crate::sched::threads::outside::wait_for_others;
use crate::stackless::channel_error::{ChannelError, ReceiveError};
use crate::stackless::gate;

static RECEIVING: WaitReason = WaitReason::new("receiving on a shared channel", OnDeadlock::Fail)
    .ended_by_outsiders()
    .failing_each_time();

impl<T: Send + 'static> SharedChannel<T> {
    /// Takes a value from the first sender that waits, in whichever thread, or waits for one.
    ///
    /// # Errors
    ///
    /// As [`Channel::receive`](crate::stackless::Channel::receive).
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber, and with what [`send_exception`](Self::send_exception) has sent.
    #[track_caller]
    pub fn receive(&self) -> Result<T, ReceiveError> {
        self.receive_message(here(), None).map(open)
    }

    /// As [`receive`](Self::receive), but waits no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive), and [`ChannelError::Timeout`].
    ///
    /// # Panics
    ///
    /// As [`receive`](Self::receive).
    #[track_caller]
    pub fn receive_timeout(&self, timeout: Duration) -> Result<T, ReceiveError> {
        let here = here();
        self.receive_message(here, Some(deadline_after(here, timeout))).map(open)
    }

    /// Takes a value from a sender that waits, if there is one. It neither waits nor switches, and
    /// works on plain threads, too.
    ///
    /// # Errors
    ///
    /// Says whether there is nothing now, or nothing for as long as the channel is closed.
    ///
    /// # Panics
    ///
    /// Panics with what [`send_exception`](Self::send_exception) has sent.
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

    /// Receives until the channel is closed and no sender waits (S-154).
    pub fn iter(&self) -> SharedIter<'_, T> {
        SharedIter { channel: self }
    }

    #[track_caller]
    fn receive_message(&self, here: Here, by: Option<u64>) -> Result<Message<T>, ChannelError> {
        gate::safe_point(here);
        self.announce(here, Side::Receive, None)?;
        let mut message = None;
        let mut state = self.lock();
        let met = state.meet(
            Side::Receive,
            Some(&here.sched),
            |step| gate::check(here, step),
            |waiter| collect(waiter, &mut message),
        )?;
        if let Met::Partner(partner, after) = met {
            drop(state);
            go_on(here, &partner, after);
            return Ok(message.expect("the partner had one"));
        }
        let waiter = Arc::new(Waiter::new(here, Side::Receive, &self.inner.tally, None));
        state.join(Side::Receive, waiter.clone(), self.inner.tally.waiting(Side::Receive));
        drop(state);
        match wait_for_others(here, &*waiter, by, &RECEIVING) {
            Ok(Fate::Served) => Ok(waiter.take().expect("the partner has put its message in")),
            Ok(_) => Err(ChannelError::Closed),
            Err(interrupt) => Err(ChannelError::of(here, interrupt, Side::Receive)),
        }
    }
}

/// Takes the message of `waiter`, if that still waits.
fn collect<T>(waiter: &Waiter<T>, message: &mut Option<Message<T>>) -> bool {
    *message = waiter.collect();
    message.is_some()
}

/// Receives from a [`SharedChannel`] until it is closed and no sender waits.
///
/// # Panics
///
/// `next` panics if it cannot receive for another reason than that the channel is closed.
pub struct SharedIter<'a, T> {
    channel: &'a SharedChannel<T>,
}

impl<T: Send + 'static> Iterator for SharedIter<'_, T> {
    type Item = T;

    #[track_caller]
    fn next(&mut self) -> Option<T> {
        if self.channel.has_ended() {
            return None;
        }
        gate::next_of(self.channel.receive())
    }
}

impl<'a, T: Send + 'static> IntoIterator for &'a SharedChannel<T> {
    type Item = T;
    type IntoIter = SharedIter<'a, T>;

    fn into_iter(self) -> SharedIter<'a, T> {
        self.iter()
    }
}

impl<T> fmt::Debug for SharedIter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedIter").field(self.channel).finish()
    }
}
