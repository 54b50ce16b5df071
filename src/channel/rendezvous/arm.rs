//! The operations of a rendezvous channel as arms of a choice between several things.

use std::cell::{Cell, OnceCell};

use crate::channel::error::{RecvError, SendError, WaitError};
use crate::channel::pairing::{After, Side, Step};
use crate::channel::rendezvous::{Channel, open};
use crate::channel::waiter::{Message, WaitOutcome, Waiter};
use crate::sched::lowlevel::{Arm, CurrentFiber, Done, Place};

/// A receive as an arm.
pub(crate) struct RecvArm<'a, T> {
    channel: &'a Channel<T>,
    /// Set when a wait begins.
    waiter: OnceCell<Waiter<T>>,
    outcome: Option<Result<Message<T>, WaitError>>,
}

/// A send as an arm.
pub(crate) struct SendArm<'a, T> {
    channel: &'a Channel<T>,
    /// Moves to the waiter when a wait begins.
    value: Cell<Option<T>>,
    waiter: OnceCell<Waiter<T>>,
}

impl<T> Channel<T> {
    #[inline(always)]
    pub(crate) fn recv_arm(&self) -> RecvArm<'_, T> {
        RecvArm { channel: self, waiter: OnceCell::new(), outcome: None }
    }

    #[inline(always)]
    pub(crate) fn send_arm(&self, value: T) -> SendArm<'_, T> {
        SendArm { channel: self, value: Cell::new(Some(value)), waiter: OnceCell::new() }
    }
}

/// Returns the state of the arm whose waiter has this outcome. A closed channel is final, like a
/// served waiter.
pub(in crate::channel) fn done_by(outcome: WaitOutcome) -> Option<Done> {
    match outcome {
        WaitOutcome::Waiting => None,
        WaitOutcome::Served | WaitOutcome::Closed => Some(Done::Served),
    }
}

/// Makes the waiter with which an arm begins a wait. That of an earlier wait was taken by the
/// attempt in between.
pub(in crate::channel) fn begin_wait<T>(
    waiter: &OnceCell<Waiter<T>>,
    current: CurrentFiber,
    message: Option<Message<T>>,
) {
    let is_first = waiter.set(Waiter::new(current.fiber, message)).is_ok();
    debug_assert!(is_first, "an attempt precedes each wait");
}

impl<T> Arm for RecvArm<'_, T> {
    fn attempt(&mut self, current: CurrentFiber) -> bool {
        self.waiter.take();
        self.outcome = self.try_message(current);
        self.outcome.is_some()
    }

    fn begin(&self, current: CurrentFiber) {
        begin_wait(&self.waiter, current, None);
    }

    fn place(&self) -> Option<Place<'_>> {
        self.waiter.get().map(|waiter| waiter.place(&self.channel.inner.receivers))
    }

    fn done(&self) -> Option<Done> {
        self.waiter.get().and_then(|waiter| done_by(waiter.outcome()))
    }
}

impl<T> RecvArm<'_, T> {
    /// Receives without a wait, if that is possible.
    #[inline(always)]
    pub(crate) fn try_now(&self, current: CurrentFiber) -> Option<Result<T, RecvError>> {
        let outcome = self.try_message(current)?;
        Some(outcome.map(open).map_err(WaitError::into_recv_error))
    }

    #[inline(always)]
    fn try_message(&self, current: CurrentFiber) -> Option<Result<Message<T>, WaitError>> {
        match self.channel.arrive(Side::Receive) {
            Step::Meet(_) => Some(Ok(self.channel.collect(current, After::GoOn))),
            Step::Refused => Some(Err(WaitError::Closed)),
            Step::Wait => None,
        }
    }

    pub(crate) fn finish(self) -> Result<T, RecvError> {
        let outcome = self.outcome.unwrap_or_else(|| {
            let message = self.waiter.into_inner().and_then(|waiter| waiter.take());
            message.ok_or(WaitError::Closed)
        });
        outcome.map(open).map_err(WaitError::into_recv_error)
    }
}

impl<T> Arm for SendArm<'_, T> {
    fn attempt(&mut self, current: CurrentFiber) -> bool {
        match self.try_now(current) {
            Some(Ok(())) => true,
            Some(Err(error)) => {
                self.value.set(Some(error.into_inner()));
                true
            }
            None => false,
        }
    }

    fn begin(&self, current: CurrentFiber) {
        begin_wait(&self.waiter, current, self.value.take().map(Message::Value));
    }

    fn place(&self) -> Option<Place<'_>> {
        self.waiter.get().map(|waiter| waiter.place(&self.channel.inner.senders))
    }

    fn done(&self) -> Option<Done> {
        self.waiter.get().and_then(|waiter| done_by(waiter.outcome()))
    }
}

impl<T> SendArm<'_, T> {
    /// Sends without a wait, if that is possible; fails if the channel is closed.
    #[inline(always)]
    pub(crate) fn try_now(&mut self, current: CurrentFiber) -> Option<Result<(), SendError<T>>> {
        let value = self.value.take().or_else(|| unsent(self.waiter.take()));
        let value = value.expect("it was not sent");
        match self.channel.arrive(Side::Send) {
            Step::Meet(_) => {
                self.channel
                    .serve(Message::Value(value), |partner| current.sched.make_ready(partner));
                Some(Ok(()))
            }
            Step::Refused => Some(Err(SendError::Closed(value))),
            Step::Wait => {
                self.value.set(Some(value));
                None
            }
        }
    }

    pub(crate) fn finish(self) -> Result<(), SendError<T>> {
        let left = self.value.take().or_else(|| unsent(self.waiter.into_inner()));
        left.map_or(Ok(()), |value| Err(SendError::Closed(value)))
    }
}

/// Returns the value of a sender that no receiver has taken it from.
pub(in crate::channel) fn unsent<T>(waiter: Option<Waiter<T>>) -> Option<T> {
    match waiter?.take()? {
        Message::Value(value) => Some(value),
        Message::Unwind(_) => unreachable!("a value was brought"),
    }
}
