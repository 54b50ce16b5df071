//! The operations of a channel with a buffer as arms of a choice between several things.

use crate::channel::error::{RecvError, SendError, TryRecvError, TrySendError};
use crate::channel::queue::{Receiver, Sender, into_value};
use crate::channel::rendezvous::arm::{done_by, unsent};
use crate::channel::waiter::{Message, Waiter};
use crate::sched::lowlevel::{Arm, CurrentFiber, Done, Place};

/// A receive as an arm.
pub(crate) struct RecvArm<'a, T> {
    receiver: &'a Receiver<T>,
    waiter: Option<Waiter<T>>,
    outcome: Option<Result<T, RecvError>>,
}

/// A send as an arm.
pub(crate) struct SendArm<'a, T> {
    sender: &'a Sender<T>,
    value: Option<T>,
    waiter: Option<Waiter<T>>,
}

impl<T> Receiver<T> {
    pub(crate) fn recv_arm(&self) -> RecvArm<'_, T> {
        RecvArm { receiver: self, waiter: None, outcome: None }
    }
}

impl<T> Sender<T> {
    pub(crate) fn send_arm(&self, value: T) -> SendArm<'_, T> {
        SendArm { sender: self, value: Some(value), waiter: None }
    }
}

impl<T> Arm for RecvArm<'_, T> {
    fn attempt(&mut self, current: CurrentFiber) -> bool {
        self.outcome = match self.receiver.take(current) {
            Ok(value) => Some(Ok(value)),
            Err(TryRecvError::Closed) => Some(Err(RecvError::Closed)),
            Err(TryRecvError::Empty) => None,
        };
        if self.outcome.is_none() {
            self.waiter = Some(Waiter::new(current.fiber, None));
        }
        self.outcome.is_some()
    }

    fn place(&self) -> Option<Place<'_>> {
        self.waiter.as_ref().map(|waiter| waiter.place(&self.receiver.shared.waiting_receivers))
    }

    fn done(&self) -> Option<Done> {
        self.waiter.as_ref().and_then(|waiter| done_by(waiter.outcome()))
    }
}

impl<T> RecvArm<'_, T> {
    pub(crate) fn finish(self) -> Result<T, RecvError> {
        self.outcome.unwrap_or_else(|| {
            let message = self.waiter.and_then(|waiter| waiter.take());
            message.map(into_value).ok_or(RecvError::Closed)
        })
    }
}

impl<T> Arm for SendArm<'_, T> {
    fn attempt(&mut self, current: CurrentFiber) -> bool {
        let value = self.value.take().or_else(|| unsent(self.waiter.take()));
        let value = value.expect("it was not sent");
        match self.sender.offer(current, value) {
            Ok(()) => true,
            Err(TrySendError::Closed(value)) => {
                self.value = Some(value);
                true
            }
            Err(TrySendError::Full(value)) => {
                self.waiter = Some(Waiter::new(current.fiber, Some(Message::Value(value))));
                false
            }
        }
    }

    fn place(&self) -> Option<Place<'_>> {
        self.waiter.as_ref().map(|waiter| waiter.place(&self.sender.shared.waiting_senders))
    }

    fn done(&self) -> Option<Done> {
        self.waiter.as_ref().and_then(|waiter| done_by(waiter.outcome()))
    }
}

impl<T> SendArm<'_, T> {
    pub(crate) fn finish(self) -> Result<(), SendError<T>> {
        let left = self.value.or_else(|| unsent(self.waiter));
        left.map_or(Ok(()), |value| Err(SendError::Closed(value)))
    }
}
