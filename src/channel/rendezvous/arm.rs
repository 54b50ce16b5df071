//! The operations of a rendezvous channel as arms of a choice between several things.

use crate::channel::error::{RecvError, SendError, WaitError};
use crate::channel::pairing::{After, Side, Step};
use crate::channel::rendezvous::{Channel, open};
use crate::channel::waiter::{Message, WaitOutcome, Waiter};
use crate::sched::lowlevel::{Arm, CurrentFiber, Done, Place};

/// A receive as an arm.
pub(crate) struct RecvArm<'a, T> {
    channel: &'a Channel<T>,
    waiter: Option<Waiter<T>>,
    outcome: Option<Result<Message<T>, WaitError>>,
}

/// A send as an arm.
pub(crate) struct SendArm<'a, T> {
    channel: &'a Channel<T>,
    value: Option<T>,
    waiter: Option<Waiter<T>>,
    sent: bool,
}

impl<T> Channel<T> {
    pub(crate) fn recv_arm(&self) -> RecvArm<'_, T> {
        RecvArm { channel: self, waiter: None, outcome: None }
    }

    pub(crate) fn send_arm(&self, value: T) -> SendArm<'_, T> {
        SendArm { channel: self, value: Some(value), waiter: None, sent: false }
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

impl<T> Arm for RecvArm<'_, T> {
    fn attempt(&mut self, current: CurrentFiber) -> bool {
        self.outcome = match self.channel.arrive(Side::Receive) {
            Step::Meet(_) => Some(Ok(self.channel.collect(current, After::GoOn))),
            Step::Refused => Some(Err(WaitError::Closed)),
            Step::Wait => None,
        };
        if self.outcome.is_none() {
            self.waiter = Some(Waiter::new(current.fiber, None));
        }
        self.outcome.is_some()
    }

    fn place(&self) -> Option<Place<'_>> {
        self.waiter.as_ref().map(|waiter| waiter.place(&self.channel.inner.receivers))
    }

    fn done(&self) -> Option<Done> {
        self.waiter.as_ref().and_then(|waiter| done_by(waiter.outcome()))
    }
}

impl<T> RecvArm<'_, T> {
    pub(crate) fn finish(self) -> Result<T, RecvError> {
        let outcome = self.outcome.unwrap_or_else(|| {
            let message = self.waiter.and_then(|waiter| waiter.take());
            message.ok_or(WaitError::Closed)
        });
        outcome.map(open).map_err(WaitError::into_recv_error)
    }
}

impl<T> Arm for SendArm<'_, T> {
    fn attempt(&mut self, current: CurrentFiber) -> bool {
        self.value = self.value.take().or_else(|| unsent(self.waiter.take()));
        match self.channel.arrive(Side::Send) {
            Step::Meet(_) => {
                let value = self.value.take().expect("it was not sent");
                self.channel
                    .serve(Message::Value(value), |partner| current.sched.make_ready(partner));
                self.sent = true;
                true
            }
            Step::Refused => true,
            Step::Wait => {
                let value = self.value.take().map(Message::Value);
                self.waiter = Some(Waiter::new(current.fiber, value));
                false
            }
        }
    }

    fn place(&self) -> Option<Place<'_>> {
        self.waiter.as_ref().map(|waiter| waiter.place(&self.channel.inner.senders))
    }

    fn done(&self) -> Option<Done> {
        self.waiter.as_ref().and_then(|waiter| done_by(waiter.outcome()))
    }
}

impl<T> SendArm<'_, T> {
    pub(crate) fn finish(self) -> Result<(), SendError<T>> {
        if self.sent {
            return Ok(());
        }
        match self.value {
            Some(value) => Err(SendError::Closed(value)),
            None => unsent(self.waiter).map_or(Ok(()), |value| Err(SendError::Closed(value))),
        }
    }
}

/// Returns the value of a sender that no receiver has taken it from.
pub(in crate::channel) fn unsent<T>(waiter: Option<Waiter<T>>) -> Option<T> {
    match waiter?.take()? {
        Message::Value(value) => Some(value),
        Message::Unwind(_) => unreachable!("a value was brought"),
    }
}
