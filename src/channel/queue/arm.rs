//! The operations of a channel with a buffer as arms of a choice between several things.

use std::cell::{Cell, OnceCell};

use crate::channel::error::{RecvError, SendError, TryRecvError, TrySendError};
use crate::channel::queue::{Receiver, Sender, into_value};
use crate::channel::rendezvous::arm::{begin_wait, done_by, unsent};
use crate::channel::waiter::{Message, Waiter};
use crate::sched::lowlevel::{Arm, CurrentFiber, Done, Place};

/// A receive as an arm.
pub(crate) struct RecvArm<'a, T> {
    receiver: &'a Receiver<T>,
    /// Set when a wait begins.
    waiter: OnceCell<Waiter<T>>,
    outcome: Option<Result<T, RecvError>>,
}

/// A send as an arm.
pub(crate) struct SendArm<'a, T> {
    sender: &'a Sender<T>,
    /// Moves to the waiter when a wait begins.
    value: Cell<Option<T>>,
    waiter: OnceCell<Waiter<T>>,
}

impl<T> Receiver<T> {
    #[inline(always)]
    pub(crate) fn recv_arm(&self) -> RecvArm<'_, T> {
        RecvArm { receiver: self, waiter: OnceCell::new(), outcome: None }
    }
}

impl<T> Sender<T> {
    #[inline(always)]
    pub(crate) fn send_arm(&self, value: T) -> SendArm<'_, T> {
        SendArm { sender: self, value: Cell::new(Some(value)), waiter: OnceCell::new() }
    }
}

impl<T> Arm for RecvArm<'_, T> {
    fn attempt(&mut self, current: CurrentFiber) -> bool {
        self.waiter.take();
        self.outcome = self.try_now(current);
        self.outcome.is_some()
    }

    fn begin(&self, current: CurrentFiber) {
        begin_wait(&self.waiter, current, None);
    }

    fn place(&self) -> Option<Place<'_>> {
        self.waiter.get().map(|waiter| waiter.place(&self.receiver.shared.waiting_receivers))
    }

    fn done(&self) -> Option<Done> {
        self.waiter.get().and_then(|waiter| done_by(waiter.outcome()))
    }
}

impl<T> RecvArm<'_, T> {
    /// Receives without a wait, if that is possible.
    #[inline(always)]
    pub(crate) fn try_now(&self, current: CurrentFiber) -> Option<Result<T, RecvError>> {
        match self.receiver.take(current) {
            Ok(value) => Some(Ok(value)),
            Err(TryRecvError::Closed) => Some(Err(RecvError::Closed)),
            Err(TryRecvError::Empty) => None,
        }
    }

    pub(crate) fn finish(self) -> Result<T, RecvError> {
        self.outcome.unwrap_or_else(|| {
            let message = self.waiter.into_inner().and_then(|waiter| waiter.take());
            message.map(into_value).ok_or(RecvError::Closed)
        })
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
        self.waiter.get().map(|waiter| waiter.place(&self.sender.shared.waiting_senders))
    }

    fn done(&self) -> Option<Done> {
        self.waiter.get().and_then(|waiter| done_by(waiter.outcome()))
    }
}

impl<T> SendArm<'_, T> {
    /// Sends without a wait, if that is possible; fails if no receiver is left.
    #[inline(always)]
    pub(crate) fn try_now(&mut self, current: CurrentFiber) -> Option<Result<(), SendError<T>>> {
        let value = self.value.take().or_else(|| unsent(self.waiter.take()));
        match self.sender.offer(current, value.expect("it was not sent")) {
            Ok(()) => Some(Ok(())),
            Err(TrySendError::Closed(value)) => Some(Err(SendError::Closed(value))),
            Err(TrySendError::Full(value)) => {
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
