//! The sending half of a shared channel.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::queue::Met;
use super::waiter::Waiter;
use super::{SharedChannel, go_on};
use crate::channel::error::TrySendError;
use crate::channel::pairing::Side;
use crate::channel::waiter::Message;
use crate::fiber::panic::Panic;
use crate::fiber::state::{OnDeadlock, WaitReason};
use crate::sched::core::limit::Limit;
use crate::sched::core::scheduler::{CurrentFiber, current_fiber, scheduler};
use crate::sched::shared::ticket::WaitOutcome;
use crate::sched::threads::outside::wait_for_others;
use crate::stackless::channel_error::{ChannelError, SendError};
use crate::stackless::checks;
use crate::stackless::error::thrown;

static SENDING: WaitReason = WaitReason::new("sending on a shared channel", OnDeadlock::Fail)
    .ended_by_outsiders()
    .failing_each_time();

impl<T: Send + 'static> SharedChannel<T> {
    /// Sends `value` to the receiver that has waited longest, in whichever thread, or waits for
    /// one.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`Channel::send`](crate::stackless::Channel::send), with the
    /// value.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber, and with the payload that is thrown into the tasklet while it
    /// waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless::SharedChannel;
    ///
    /// let channel = SharedChannel::new();
    /// let receiver = channel.clone();
    /// let thread = std::thread::spawn(move || fibra::run(|| receiver.receive().unwrap()));
    /// fibra::run(|| channel.send(42).unwrap()); // waits for the other thread
    /// assert_eq!(thread.join().unwrap(), 42);
    /// ```
    #[track_caller]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.send_until(Message::Value(value), Limit::None).map_err(value_of)
    }

    /// Sends like [`send`](Self::send), but waits no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`send`](Self::send), and [`ChannelError::Timeout`].
    ///
    /// # Panics
    ///
    /// Panics like [`send`](Self::send).
    #[track_caller]
    pub fn send_timeout(&self, value: T, timeout: Duration) -> Result<(), SendError<T>> {
        self.send_until(Message::Value(value), Limit::After(timeout)).map_err(value_of)
    }

    /// Like [`send`](Self::send), but waits no longer than until `deadline`, by the clock of the
    /// caller's scheduler.
    ///
    /// # Errors
    ///
    /// Like [`send_timeout`](Self::send_timeout).
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::stackless::SharedChannel;
    ///
    /// fibra::run(|| {
    ///     let channel = SharedChannel::new();
    ///     let soon = fibra::now() + Duration::from_millis(1);
    ///     assert_eq!(channel.send_deadline(7, soon).unwrap_err().value, 7);
    /// });
    /// ```
    #[track_caller]
    pub fn send_deadline(&self, value: T, deadline: Instant) -> Result<(), SendError<T>> {
        self.send_until(Message::Value(value), Limit::At(deadline)).map_err(value_of)
    }

    /// Sends an exception: the receiver's `receive` unwinds with `payload`.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`send`](Self::send), with the payload.
    ///
    /// # Panics
    ///
    /// Panics like [`send`](Self::send).
    #[track_caller]
    pub fn send_exception(&self, payload: impl Any + Send) -> Result<(), SendError<Panic>> {
        let message = Message::Unwind(Box::new(payload));
        self.send_until(message, Limit::None).map_err(|(message, reason)| match message {
            Message::Unwind(payload) => SendError { value: thrown(payload), reason },
            Message::Value(_) => unreachable!("a payload was sent"),
        })
    }

    /// Sends `value` to a receiver that waits, if there is one. It neither waits nor switches, and
    /// may be called on plain threads, too.
    ///
    /// # Errors
    ///
    /// Returns the value if no receiver waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless::SharedChannel;
    ///
    /// fibra::run(|| {
    ///     let channel = SharedChannel::new();
    ///     assert_eq!(channel.try_send(1).unwrap_err().into_inner(), 1); // no receiver waits
    /// });
    /// ```
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let sched = scheduler();
        let mut message = Some(Message::Value(value));
        let mut state = self.lock();
        let exchange = |waiter: &Waiter<T>| serve(waiter, &mut message);
        let met = state.meet(Side::Send, None, |_| Ok(()), exchange);
        let closing = state.pairing.closing;
        drop(state);
        if let Ok(Met::Partner(partner, _)) = met {
            partner.ticket().wake(sched);
            return Ok(());
        }
        match message {
            Some(Message::Value(value)) if closing => Err(TrySendError::Closed(value)),
            Some(Message::Value(value)) => Err(TrySendError::Full(value)),
            _ => unreachable!("no receiver has taken the value"),
        }
    }

    #[track_caller]
    fn send_until(
        &self,
        message: Message<T>,
        limit: Limit,
    ) -> Result<(), (Message<T>, ChannelError)> {
        let current = current_fiber();
        let by = limit.micros(current);
        checks::safe_point(current);
        if let Err(reason) = self.announce(current, Side::Send, message.value()) {
            return Err((message, reason));
        }
        let mut message = Some(message);
        let mut state = self.lock();
        let met = state.meet(
            Side::Send,
            Some(&current.sched),
            |step| checks::check(current, step),
            |waiter| serve(waiter, &mut message),
        );
        match met {
            Ok(Met::Partner(partner, after)) => {
                drop(state);
                go_on(current, &partner, after);
                checks::after_send(current);
                return Ok(());
            }
            Ok(Met::Nobody) => {}
            Err(reason) => {
                drop(state);
                return Err((message.expect("no receiver has taken it"), reason));
            }
        }
        let waiter = Arc::new(Waiter::new(current, Side::Send, &self.inner.tally, message));
        state.join(Side::Send, waiter.clone(), self.inner.tally.waiting(Side::Send));
        drop(state);
        wait_to_send(current, &waiter, by)
    }
}

/// Gives the message to `waiter`, if it still waits. Returns whether it did.
fn serve<T>(waiter: &Waiter<T>, message: &mut Option<Message<T>>) -> bool {
    *message = message.take().and_then(|message| waiter.serve(message).err());
    message.is_none()
}

#[track_caller]
fn wait_to_send<T: Send + 'static>(
    current: CurrentFiber,
    waiter: &Arc<Waiter<T>>,
    by: Option<u64>,
) -> Result<(), (Message<T>, ChannelError)> {
    /// A guard that drops the message that was not sent, whatever ends the wait: no other thread
    /// may drop it.
    struct Leftover<'a, T>(&'a Waiter<T>);
    impl<T> Drop for Leftover<'_, T> {
        fn drop(&mut self) {
            drop(self.0.take());
        }
    }

    let leftover = Leftover(waiter);
    let reason = match wait_for_others(current, &**waiter, by, &SENDING) {
        Ok(WaitOutcome::Served) => {
            checks::after_send(current);
            return Ok(());
        }
        Ok(_) => ChannelError::Closed,
        Err(interrupt) => ChannelError::of(current, interrupt, Side::Send),
    };
    let message = leftover.0.take().expect("no receiver has taken it");
    Err((message, reason))
}

fn value_of<T>((message, reason): (Message<T>, ChannelError)) -> SendError<T> {
    match message {
        Message::Value(value) => SendError { value, reason },
        Message::Unwind(_) => unreachable!("a value was sent"),
    }
}
