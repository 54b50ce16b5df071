//! The outcome of a wait that another thread may complete, which both sides hold.
//!
//! ```text
//!              claim(Served), by a partner            the fiber returns what it was given
//!   [Waiting] ---------------------------> [Served]
//!       |  \_ claim(Closed) -------------> [Closed]
//!       \____ claim(Withdrawn) ----------> [Withdrawn]   by its own thread, before it is interrupted
//! ```
//!
//! Invariants:
//! - A ticket leaves `Waiting` once, by one compare-and-swap: either the partner has it, or the
//!   fiber that is interrupted. So nothing is handed to a fiber that will not take it.
//! - Other threads hold the ticket and the fiber's key, never an address of its record or stack.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::collections::slot_table::Key;
use crate::sched::shared::mailbox::Mailbox;

/// How a wait came out.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Fate {
    Waiting,
    /// A partner has come.
    Served,
    /// What it waited at was closed under it.
    Closed,
    /// The fiber has given it up.
    Withdrawn,
}

/// How a wait has come out so far. It changes once.
#[derive(Debug)]
pub(crate) struct FateCell(AtomicU8);

impl FateCell {
    pub(crate) fn new() -> FateCell {
        FateCell(AtomicU8::new(Fate::Waiting as u8))
    }

    /// Ends the wait with `fate`. Returns whether it was this call that ended it.
    #[must_use]
    pub(crate) fn claim(&self, fate: Fate) -> bool {
        let (from, to) = (Fate::Waiting as u8, fate as u8);
        self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    pub(crate) fn get(&self) -> Fate {
        let fates = [Fate::Waiting, Fate::Served, Fate::Closed, Fate::Withdrawn];
        fates[usize::from(self.0.load(Ordering::Acquire))]
    }
}

/// One wait of one fiber.
pub(crate) struct Ticket {
    fate: FateCell,
    /// The number of the scheduler of the fiber that waits.
    pub(crate) scheduler: u32,
    key: Key,
    pub(crate) mailbox: Arc<Mailbox>,
}

impl Ticket {
    /// Creates a ticket of the fiber with that key.
    pub(crate) fn of(scheduler: u32, key: Key, mailbox: Arc<Mailbox>) -> Ticket {
        Ticket { fate: FateCell::new(), scheduler, key, mailbox }
    }

    /// Ends the wait with `fate`. Returns whether it was this call that ended it.
    #[must_use]
    pub(crate) fn claim(&self, fate: Fate) -> bool {
        self.fate.claim(fate)
    }

    pub(crate) fn fate(&self) -> Fate {
        self.fate.get()
    }

    /// Whether the wait has come to what it was for.
    pub(crate) fn is_completed(&self) -> bool {
        matches!(self.fate(), Fate::Served | Fate::Closed)
    }

    pub(crate) fn key(&self) -> Key {
        self.key
    }

    /// Makes the fiber's scheduler look again whether its wait can end.
    pub(crate) fn nudge(&self) {
        self.mailbox.nudge();
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("fate", &self.fate()).finish_non_exhaustive()
    }
}
