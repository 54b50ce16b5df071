//! Operations on a channel between threads as arms of a `select!`.
//!
//! The fiber watches the channel and does not join its queues: it would have to take a value that
//! another thread gave it there, although another arm may succeed at the same moment.

use std::cell::Cell;
use std::sync::Arc;

use crate::channel::error::{RecvError, SendError, TryRecvError, TrySendError};
use crate::sched::lowlevel::{Arm, CurrentFiber, Done};
use crate::sync::mpmc::line::{Lines, Shared};
use crate::sync::mpmc::{Receiver, Sender};
use crate::sync::queue::Queue;
use crate::sync::waiter::Waiter;

/// A receive as an arm of a `select!`.
pub(crate) struct RecvArm<'a, T> {
    receiver: &'a Receiver<T>,
    outcome: Option<Result<T, RecvError>>,
    watch: Watch,
}

/// A send as an arm of a `select!`.
pub(crate) struct SendArm<'a, T> {
    sender: &'a Sender<T>,
    value: Option<T>,
    watch: Watch,
}

impl<T> Receiver<T> {
    pub(crate) fn arm(&self) -> RecvArm<'_, T> {
        RecvArm { receiver: self, outcome: None, watch: Watch::default() }
    }
}

impl<T> Sender<T> {
    pub(crate) fn arm(&self, value: T) -> SendArm<'_, T> {
        SendArm { sender: self, value: Some(value), watch: Watch::default() }
    }
}

/// The entry of a fiber among the watchers of a channel.
#[derive(Default)]
struct Watch {
    waiter: Cell<Option<Arc<Waiter>>>,
}

impl Watch {
    /// Joins the watchers `of` the channel, then looks whether the operation is possible now.
    fn begin<T>(&self, shared: &Shared<T>, of: fn(&mut Lines<T>) -> &mut Queue) {
        let mut channel = shared.lock();
        let waiter = Arc::new(Waiter::new(()));
        of(&mut channel.lines).push(waiter.clone());
        self.waiter.set(Some(waiter));
        channel.announce_and_release();
    }

    fn done(&self) -> Option<Done> {
        let waiter = self.waiter.take();
        let told = waiter.as_ref().is_some_and(|waiter| !waiter.waits());
        self.waiter.set(waiter);
        told.then_some(Done::Changed)
    }

    fn end<T>(&self, shared: &Shared<T>, of: fn(&mut Lines<T>) -> &mut Queue) {
        if let Some(waiter) = self.waiter.take().filter(|waiter| waiter.waits()) {
            let mut channel = shared.lock();
            of(&mut channel.lines).withdraw(&waiter);
            channel.release();
        }
    }
}

impl<T> Arm for RecvArm<'_, T> {
    fn attempt(&mut self, _: CurrentFiber) -> bool {
        self.outcome = match self.receiver.try_recv() {
            Ok(value) => Some(Ok(value)),
            Err(TryRecvError::Closed) => Some(Err(RecvError::Closed)),
            Err(TryRecvError::Empty) => None,
        };
        self.outcome.is_some()
    }

    fn begin(&self, _: CurrentFiber) {
        self.watch.begin(&self.receiver.shared, |lines| &mut lines.watching_receivers);
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn done(&self) -> Option<Done> {
        self.watch.done()
    }

    fn end(&self) {
        self.watch.end(&self.receiver.shared, |lines| &mut lines.watching_receivers);
    }
}

impl<T> RecvArm<'_, T> {
    pub(crate) fn finish(self) -> Result<T, RecvError> {
        self.outcome.unwrap_or(Err(RecvError::Closed))
    }
}

impl<T> Arm for SendArm<'_, T> {
    fn attempt(&mut self, _: CurrentFiber) -> bool {
        match self.sender.try_send(self.value.take().expect("it was not sent")) {
            Ok(()) => true,
            Err(TrySendError::Closed(value)) => {
                self.value = Some(value);
                true
            }
            Err(TrySendError::Full(value)) => {
                self.value = Some(value);
                false
            }
        }
    }

    fn begin(&self, _: CurrentFiber) {
        self.watch.begin(&self.sender.shared, |lines| &mut lines.watching_senders);
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn done(&self) -> Option<Done> {
        self.watch.done()
    }

    fn end(&self) {
        self.watch.end(&self.sender.shared, |lines| &mut lines.watching_senders);
    }
}

impl<T> SendArm<'_, T> {
    pub(crate) fn finish(self) -> Result<(), SendError<T>> {
        self.value.map_or(Ok(()), |value| Err(SendError::Closed(value)))
    }
}
