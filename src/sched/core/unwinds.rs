//! The scheduler's record of the unwinds on its thread: the switches that began during one, and
//! whether a kill was put off because of one. [`unwinding`](crate::sched::core::unwinding) decides
//! from it whether the running fiber unwinds.

use std::cell::Cell;

use crate::fiber::id::FiberId;

/// The unwinds on the thread of a scheduler.
#[derive(Debug)]
pub(crate) struct Unwinds {
    /// Whether `run` was called by a destructor while its thread unwound. std cannot report then
    /// whether a fiber unwinds too, so no fiber is unwound.
    pub(crate) outside_of_run: Cell<bool>,
    /// Whether a kill or a throw could not be raised because some fiber unwound.
    pub(crate) kill_put_off: Cell<bool>,
    /// The last switch after which the thread unwound.
    at: Cell<u64>,
    /// The fiber that began that unwind.
    pub(crate) by: Cell<Option<FiberId>>,
    /// The fiber that its time limit must interrupt although the thread unwinds, and the number of
    /// the switch in which it must do so.
    pub(crate) forced: Cell<Option<(FiberId, u64)>>,
}

impl Unwinds {
    pub(crate) const fn new() -> Unwinds {
        Unwinds {
            outside_of_run: Cell::new(false),
            kill_put_off: Cell::new(false),
            at: Cell::new(u64::MAX / 2),
            by: Cell::new(None),
            forced: Cell::new(None),
        }
    }

    /// Records that the thread unwinds, and that `fiber` has just left it, after that switch.
    pub(crate) fn note(&self, fiber: FiberId, switch: u64) {
        if !self.unwound_before(switch) {
            self.by.set(Some(fiber));
        }
        self.at.set(switch);
    }

    /// Returns whether the thread unwound already when the fiber of that switch was resumed.
    pub(crate) fn unwound_before(&self, switch: u64) -> bool {
        self.at.get().wrapping_add(1) == switch
    }

    /// Records, if `put_off`, that a kill or a throw must be raised later.
    pub(crate) fn note_put_off(&self, put_off: bool) {
        self.kill_put_off.set(self.kill_put_off.get() || put_off);
    }
}
