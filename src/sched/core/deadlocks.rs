//! The wait that was chosen to fail, so that a deadlock ends. The choice is made in
//! [`deadlock`](crate::sched::deadlock); the fiber takes the report where it waits.

use std::cell::{Cell, RefCell};

use crate::fiber::id::FiberId;
use crate::fiber::snapshot::Deadlock;

/// The last deadlock of a scheduler.
#[derive(Debug)]
pub(crate) struct Deadlocks {
    /// The fiber whose wait failed last, and the number of switches then.
    last_victim: Cell<(Option<FiberId>, u64)>,
    /// The report that the chosen wait fails with, until its fiber takes it.
    report: RefCell<Option<Box<Deadlock>>>,
}

impl Deadlocks {
    pub(crate) const fn new() -> Deadlocks {
        Deadlocks { last_victim: Cell::new((None, 0)), report: RefCell::new(None) }
    }

    /// Notes that the wait of `victim` fails with `report`, at that number of switches.
    pub(crate) fn fail(&self, victim: FiberId, switches: u64, report: Deadlock) {
        *self.report.borrow_mut() = Some(Box::new(report));
        self.last_victim.set((Some(victim), switches));
    }

    pub(crate) fn last_victim(&self) -> (Option<FiberId>, u64) {
        self.last_victim.get()
    }

    /// Whether a report waits to be taken.
    pub(crate) fn is_pending(&self) -> bool {
        self.report.borrow().is_some()
    }

    pub(crate) fn take_report(&self) -> Option<Box<Deadlock>> {
        self.report.borrow_mut().take()
    }
}
