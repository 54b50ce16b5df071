//! Operations on a channel between threads as arms of a `select!`.
//!
//! ```text
//!   ticket of the choice <--- waiter in the line of one channel
//!                        <--- waiter in the line of another channel
//!                        <--- gate, for partners on the fiber's own thread
//! ```
//!
//! The fiber stands in the line of each channel, like any other. A partner claims the ticket before
//! it serves one of these waiters, so that one arm at most is served.

use std::cell::Cell;
use std::sync::{Arc, Mutex};

use crate::channel::error::{RecvError, SendError, TryRecvError, TrySendError};
use crate::sched::lowlevel::{Arm, CurrentFiber, Demands, Done, Ticket};
use crate::sync::mpmc::line::{Lines, Shared, Slot};
use crate::sync::mpmc::side::Side;
use crate::sync::mpmc::{Receiver, Sender};
use crate::sync::queue::Queue;
use crate::sync::waiter::{Waiter, locked};

/// A receive as an arm of a `select!`.
pub(crate) struct RecvArm<'a, T> {
    receiver: &'a Receiver<T>,
    outcome: Option<Result<T, RecvError>>,
    entry: Entry<T>,
}

/// A send as an arm of a `select!`.
pub(crate) struct SendArm<'a, T> {
    sender: &'a Sender<T>,
    /// The value, unless it is in the slot of the waiter.
    value: Cell<Option<T>>,
    entry: Entry<T>,
}

impl<T> Receiver<T> {
    pub(crate) fn arm(&self) -> RecvArm<'_, T> {
        RecvArm { receiver: self, outcome: None, entry: Entry(Cell::new(None)) }
    }
}

impl<T> Sender<T> {
    pub(crate) fn arm(&self, value: T) -> SendArm<'_, T> {
        SendArm { sender: self, value: Cell::new(Some(value)), entry: Entry(Cell::new(None)) }
    }
}

/// The waiter of an arm, once the wait has begun. It is out of its line when the wait has ended.
struct Entry<T>(Cell<Option<Arc<Waiter<Slot<T>>>>>);

/// One of the two lines of a channel.
type Line<T> = fn(&mut Lines<T>) -> &mut Queue<Slot<T>>;

impl<T> Entry<T> {
    /// Joins a line with `value`, then looks whether the operation is possible now: the channel may
    /// have changed since the arm was attempted. If the `other` side is gone, or a partner waits
    /// there which is not of the same choice, the arm is to be attempted again.
    fn join(
        &self,
        (shared, other): (&Shared<T>, &Side),
        ticket: &Arc<Ticket>,
        value: Option<T>,
        [line, partners]: [Line<T>; 2],
    ) {
        let mut channel = shared.lock();
        let waiter = Arc::new(Waiter::of_choice(ticket.clone(), Mutex::new(value)));
        let is_other = |partner: &Arc<Waiter<_>>| !partner.is_of_choice(ticket);
        let is_possible = partners(&mut channel.lines).iter().any(is_other);
        if is_possible || other.is_gone() {
            waiter.tell_to_try_again();
        } else {
            line(&mut channel.lines).push(waiter.clone());
        }
        self.0.set(Some(waiter));
        channel.announce_settle_and_release();
    }

    /// Leaves the line.
    fn leave(&self, shared: &Shared<T>, line: Line<T>) {
        if let Some(waiter) = self.0.take() {
            if waiter.waits() {
                let mut channel = shared.lock();
                line(&mut channel.lines).remove(&waiter);
                channel.unlock();
            }
            self.0.set(Some(waiter));
        }
    }

    /// Returns whether the wait of this arm is over, and whether its slot holds a value then.
    fn ended_with_value(&self) -> Option<bool> {
        let waiter = self.0.take()?;
        let slot = locked(&waiter.extra);
        let ended = (!waiter.waits()).then(|| slot.is_some());
        drop(slot);
        self.0.set(Some(waiter));
        ended
    }

    /// Takes the value out of the slot, after the wait.
    fn take(&self) -> Option<T> {
        let waiter = self.0.take()?;
        locked(&waiter.extra).take()
    }
}

impl<T> Arm for RecvArm<'_, T> {
    fn attempt(&mut self, _: CurrentFiber) -> bool {
        self.outcome = self.try_now();
        self.outcome.is_some()
    }

    fn demands(&self) -> Demands {
        Demands::EXCHANGE
    }

    fn join(&self, ticket: &Arc<Ticket>) {
        let lines: [Line<T>; 2] = [|lines| &mut lines.receivers, |lines| &mut lines.senders];
        let shared = &self.receiver.shared;
        self.entry.join((shared, &shared.sending), ticket, None, lines);
    }

    fn done(&self) -> Option<Done> {
        let has_value = self.entry.ended_with_value()?;
        Some(if has_value { Done::Served } else { Done::Changed })
    }

    fn end(&self) {
        self.entry.leave(&self.receiver.shared, |lines| &mut lines.receivers);
    }
}

impl<T> RecvArm<'_, T> {
    /// Receives without a wait, if that is possible.
    #[inline]
    pub(crate) fn try_now(&self) -> Option<Result<T, RecvError>> {
        match self.receiver.try_recv() {
            Ok(value) => Some(Ok(value)),
            Err(TryRecvError::Closed) => Some(Err(RecvError::Closed)),
            Err(TryRecvError::Empty) => None,
        }
    }

    pub(crate) fn finish(self) -> Result<T, RecvError> {
        let received = || self.entry.take().ok_or(RecvError::Closed);
        self.outcome.unwrap_or_else(received)
    }
}

impl<T> SendArm<'_, T> {
    /// Sends without a wait, if that is possible; fails if no receiver is left.
    #[inline]
    pub(crate) fn try_now(&self) -> Option<Result<(), SendError<T>>> {
        match self.sender.try_send(self.unsent().expect("it was not sent")) {
            Ok(()) => Some(Ok(())),
            Err(TrySendError::Closed(value)) => Some(Err(SendError::Closed(value))),
            Err(TrySendError::Full(value)) => {
                self.value.set(Some(value));
                None
            }
        }
    }

    /// Takes the value, if it was not sent.
    fn unsent(&self) -> Option<T> {
        self.value.take().or_else(|| self.entry.take())
    }
}

impl<T> Arm for SendArm<'_, T> {
    fn attempt(&mut self, _: CurrentFiber) -> bool {
        match self.try_now() {
            Some(Ok(())) => true,
            Some(Err(error)) => {
                self.value.set(Some(error.into_inner()));
                true
            }
            None => false,
        }
    }

    fn demands(&self) -> Demands {
        Demands::EXCHANGE
    }

    fn join(&self, ticket: &Arc<Ticket>) {
        let lines: [Line<T>; 2] = [|lines| &mut lines.senders, |lines| &mut lines.receivers];
        let shared = &self.sender.shared;
        self.entry.join((shared, &shared.receiving), ticket, self.value.take(), lines);
    }

    fn done(&self) -> Option<Done> {
        let has_value = self.entry.ended_with_value()?;
        Some(if has_value { Done::Changed } else { Done::Served })
    }

    fn end(&self) {
        self.entry.leave(&self.sender.shared, |lines| &mut lines.senders);
    }
}

impl<T> SendArm<'_, T> {
    pub(crate) fn finish(self) -> Result<(), SendError<T>> {
        self.unsent().map_or(Ok(()), |value| Err(SendError::Closed(value)))
    }
}
