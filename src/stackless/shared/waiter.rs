//! A fiber that waits at a shared channel, and what partners on other threads see of it.
//!
//! ```text
//!   queue of the channel --+                       +-- frame of the fiber that waits
//!                          v                       v
//!                  Arc< Waiter: ticket, slot, tally > <-- its scheduler's list of such waits
//! ```
//!
//! Invariants:
//! - Nobody points into the stack of another thread: the value lies in the slot, which all who know
//!   the waiter own together.
//! - The slot is changed under its lock, together with the ticket: a fiber that finds its ticket
//!   served finds the slot as the partner has left it.
//! - A waiter whose fiber has gone has an empty slot. So no destructor of a value runs when the last
//!   of the owners lets it go, which may be under the lock of the channel.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::channel::pairing::Side;
use crate::channel::waiter::Message;
use crate::sched::core::scheduler::CurrentFiber;
use crate::sched::shared::outside::OutsideWait;
use crate::sched::shared::ticket::{Ticket, WaitOutcome};

/// The numbers of a channel, which are read without its lock.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) handles: AtomicUsize,
    senders: AtomicUsize,
    receivers: AtomicUsize,
}

impl Tally {
    /// How many wait on `side`.
    pub(super) fn waiting(&self, side: Side) -> usize {
        self.of(side).load(Ordering::Acquire)
    }

    fn of(&self, side: Side) -> &AtomicUsize {
        if side == Side::Send { &self.senders } else { &self.receivers }
    }
}

/// One waiting fiber.
pub(super) struct Waiter<T> {
    ticket: Ticket,
    side: Side,
    tally: Arc<Tally>,
    slot: Mutex<Option<Message<T>>>,
}

impl<T> Waiter<T> {
    /// A waiter of the running fiber, which is counted from now on.
    pub(super) fn new(
        current: CurrentFiber,
        side: Side,
        tally: &Arc<Tally>,
        message: Option<Message<T>>,
    ) -> Waiter<T> {
        tally.of(side).fetch_add(1, Ordering::AcqRel);
        Waiter {
            ticket: Ticket::new(current),
            side,
            tally: tally.clone(),
            slot: Mutex::new(message),
        }
    }

    pub(super) fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    pub(super) fn waits(&self) -> bool {
        self.ticket.outcome() == WaitOutcome::Waiting
    }

    /// Gives `message` to a receiver. It comes back if that does not wait any more.
    pub(super) fn serve(&self, message: Message<T>) -> Result<(), Message<T>> {
        let mut slot = self.slot();
        if !self.end(WaitOutcome::Served) {
            return Err(message);
        }
        *slot = Some(message);
        Ok(())
    }

    /// Takes the message of a sender, if that still waits.
    pub(super) fn collect(&self) -> Option<Message<T>> {
        let mut slot = self.slot();
        if self.end(WaitOutcome::Served) { slot.take() } else { None }
    }

    /// Takes what the wait has brought, or left over. For the fiber that waited.
    pub(super) fn take(&self) -> Option<Message<T>> {
        self.slot().take()
    }

    /// Ends the wait, if it was not over.
    pub(super) fn end(&self, outcome: WaitOutcome) -> bool {
        let ended = self.ticket.claim(outcome);
        if ended {
            self.tally.of(self.side).fetch_sub(1, Ordering::AcqRel);
        }
        ended
    }

    fn slot(&self) -> MutexGuard<'_, Option<Message<T>>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send> OutsideWait for Waiter<T> {
    fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    fn claim(&self, outcome: WaitOutcome) -> bool {
        self.end(outcome)
    }

    fn others_exist(&self) -> bool {
        // One handle is that of the fiber that waits.
        1 < self.tally.handles.load(Ordering::SeqCst)
    }
}

impl<T> fmt::Debug for Waiter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter").field("side", &self.side).field("ticket", &self.ticket).finish()
    }
}
