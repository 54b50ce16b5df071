//! The record of the wait that was chosen to fail, so that a deadlock ends.
//! [`deadlock`](crate::sched::deadlock) chooses it, and its fiber takes the report.

use std::cell::{Cell, RefCell};

use crate::fiber::id::FiberId;
use crate::fiber::snapshot::Deadlock;

/// The last deadlock of a scheduler.
#[derive(Debug)]
pub(crate) struct Deadlocks {
    /// The fiber whose wait failed last, and the number of switches then.
    last_victim: Cell<(Option<FiberId>, u64)>,
    /// The report with which the chosen wait fails, until its fiber takes it.
    report: RefCell<Option<Box<Deadlock>>>,
}

impl Deadlocks {
    pub(crate) const fn new() -> Deadlocks {
        Deadlocks { last_victim: Cell::new((None, 0)), report: RefCell::new(None) }
    }

    /// Records that the wait of `victim` fails with `report`, at that number of switches.
    pub(crate) fn fail(&self, victim: FiberId, switches: u64, report: Deadlock) {
        *self.report.borrow_mut() = Some(Box::new(report));
        self.last_victim.set((Some(victim), switches));
    }

    pub(crate) fn last_victim(&self) -> (Option<FiberId>, u64) {
        self.last_victim.get()
    }

    /// Returns whether there is a report that was not taken.
    pub(crate) fn is_pending(&self) -> bool {
        self.report.borrow().is_some()
    }

    pub(crate) fn take_report(&self) -> Option<Box<Deadlock>> {
        self.report.borrow_mut().take()
    }
}
