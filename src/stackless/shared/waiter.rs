//! A fiber that waits at a shared channel, as partners on other threads see it.
//!
//! ```text
//!   queue of the channel --+                       +-- frame of the waiting fiber
//!                          v                       v
//!                  Arc< Waiter: ticket, slot, tally > <-- its scheduler's list of such waits
//! ```
//!
//! Invariants:
//! - No pointer leads into the stack of another thread: the value is in the slot, and everything
//!   that uses the waiter shares its ownership through the `Arc`.
//! - The slot is changed under its lock, together with the ticket: a fiber that finds its ticket
//!   served finds the slot as the partner has left it.
//! - A waiter whose fiber has left has an empty slot. So no destructor of a value runs when the
//!   last owner drops the waiter, which may happen under the lock of the channel.

use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::channel::pairing::Side;
use crate::channel::waiter::Message;
use crate::sched::core::scheduler::CurrentFiber;
use crate::sched::shared::outside::OutsideWait;
use crate::sched::shared::ticket::{Ticket, WaitOutcome};

/// The counts of a channel, which are read without its lock.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) handles: AtomicUsize,
    senders: AtomicUsize,
    receivers: AtomicUsize,
    /// The place where the channel was made, which dumps show.
    made_at: Option<&'static Location<'static>>,
}

impl Tally {
    /// Returns the counts of a channel that is made at `place` and has one handle.
    pub(super) fn new(place: &'static Location<'static>) -> Tally {
        Tally { handles: AtomicUsize::new(1), made_at: Some(place), ..Tally::default() }
    }

    /// Returns the number of fibers that wait on `side`.
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
    /// Creates a waiter of the current fiber, and counts it among the waiters of `side`.
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

    /// Gives `message` to a receiver. Returns it in `Err` if the receiver no longer waits.
    pub(super) fn serve(&self, message: Message<T>) -> Result<(), Message<T>> {
        let mut slot = self.slot();
        if !self.end(WaitOutcome::Served) {
            return Err(message);
        }
        *slot = Some(message);
        Ok(())
    }

    /// Takes the message of a sender, if the sender still waits.
    pub(super) fn collect(&self) -> Option<Message<T>> {
        let mut slot = self.slot();
        if self.end(WaitOutcome::Served) { slot.take() } else { None }
    }

    /// Takes the message that a receiver was given, or that a sender has left. Must be called by
    /// the fiber that waited.
    pub(super) fn take(&self) -> Option<Message<T>> {
        self.slot().take()
    }

    /// Ends the wait with `outcome`, unless it is over. Returns whether this call has ended it.
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

    fn made_at(&self) -> Option<&'static Location<'static>> {
        self.tally.made_at
    }

    fn others_exist(&self) -> bool {
        // One of the handles belongs to the waiting fiber.
        1 < self.tally.handles.load(Ordering::SeqCst)
    }
}

impl<T> fmt::Debug for Waiter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter").field("side", &self.side).field("ticket", &self.ticket).finish()
    }
}
