//! The outcome of a wait that another thread may complete. Both sides hold it.
//!
//! ```text
//!              claim(Served), by a partner         the fiber returns the value it was given
//!   [Waiting] ------------------------> [Served]
//!       |  \_ claim(Closed) ----------> [Closed]
//!       \____ claim(Withdrawn) -------> [Withdrawn]   by its own thread, before an interrupt
//! ```
//!
//! Invariants:
//! - A ticket leaves `Waiting` once, by one compare-and-swap or under one lock: either the partner
//!   wins, or the fiber that is interrupted. So nothing is handed to a fiber that will not take it.
//! - Other threads hold the ticket and the fiber's key, never an address of its record or stack.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::collections::slot_table::Key;
use crate::fiber::extra::Gate;
use crate::sched::shared::places::Address;

/// The outcome of a wait.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum WaitOutcome {
    Waiting,
    /// A partner has come.
    Served,
    /// The primitive at which the fiber waited was closed during the wait.
    Closed,
    /// The fiber has given up the wait.
    Withdrawn,
}

/// The outcome of a wait so far. It changes once.
#[derive(Debug)]
pub(crate) struct OutcomeCell(AtomicU8);

impl OutcomeCell {
    pub(crate) fn new() -> OutcomeCell {
        OutcomeCell(AtomicU8::new(WaitOutcome::Waiting as u8))
    }

    /// Ends the wait with `outcome`. Returns whether it was this call that ended it.
    #[must_use]
    pub(crate) fn claim(&self, outcome: WaitOutcome) -> bool {
        let (from, to) = (WaitOutcome::Waiting as u8, outcome as u8);
        self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Like [`claim`](OutcomeCell::claim), but without a compare-and-swap: no other thread may
    /// claim at the same time.
    #[must_use]
    pub(crate) fn claim_alone(&self, outcome: WaitOutcome) -> bool {
        let waits = self.0.load(Ordering::Relaxed) == WaitOutcome::Waiting as u8;
        if waits {
            self.0.store(outcome as u8, Ordering::Release);
        }
        waits
    }

    pub(crate) fn get(&self) -> WaitOutcome {
        let outcomes = [
            WaitOutcome::Waiting,
            WaitOutcome::Served,
            WaitOutcome::Closed,
            WaitOutcome::Withdrawn,
        ];
        outcomes[usize::from(self.0.load(Ordering::Acquire))]
    }
}

/// One wait of one fiber.
pub(crate) struct Ticket {
    outcome: OutcomeCell,
    /// The way to the scheduler of the fiber that waits.
    pub(crate) address: Address,
    key: Key,
}

impl Ticket {
    /// Creates a ticket for the fiber with that key.
    pub(crate) fn of(address: Address, key: Key) -> Ticket {
        Ticket { outcome: OutcomeCell::new(), address, key }
    }

    /// Ends the wait with `outcome`. Returns whether it was this call that ended it.
    #[must_use]
    pub(crate) fn claim(&self, outcome: WaitOutcome) -> bool {
        self.outcome.claim(outcome)
    }

    /// Like [`claim`](Ticket::claim), if no other thread may claim at the same time.
    #[must_use]
    pub(crate) fn claim_alone(&self, outcome: WaitOutcome) -> bool {
        self.outcome.claim_alone(outcome)
    }

    pub(crate) fn outcome(&self) -> WaitOutcome {
        self.outcome.get()
    }

    /// Returns whether a partner or a close has ended the wait. A withdrawn wait is not completed.
    pub(crate) fn is_completed(&self) -> bool {
        matches!(self.outcome(), WaitOutcome::Served | WaitOutcome::Closed)
    }

    pub(crate) fn key(&self) -> Key {
        self.key
    }

    /// Makes the fiber's scheduler check again whether the wait can end.
    pub(crate) fn nudge(&self) {
        self.address.nudge();
    }
}

impl Gate for Ticket {
    fn claim(&self) -> bool {
        self.outcome.claim(WaitOutcome::Served)
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("outcome", &self.outcome()).finish_non_exhaustive()
    }
}
