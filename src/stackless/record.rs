//! What a tasklet is beside its fiber: it outlives the fiber, and may be given another.
//!
//! ```text
//!              bind(f)            setup(args), bind(f, args)
//!   [Empty] ------------> [Bound] ---------------------------> [Alive: a fiber]
//!      ^ <---- unbind ------'                                        |
//!      '------------------ the fiber has ended, or was un-bound -----'
//! ```
//!
//! Invariants:
//! - A living fiber holds its record, and the record holds the fiber: the fiber's end parts them
//!   (`Identity::ended`).
//! - No user value is dropped, and no user code called, while one of the cells is borrowed.
//! - A record belongs to one scheduler for ever; when that is over it is dead.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use crate::fiber::header::{FiberRef, Header};
use crate::fiber::identity::{Identity, Payload};
use crate::fiber::state::State;
use crate::sched::core::end;
use crate::sched::core::scheduler::{Scheduler, SchedulerPtr, scheduler};
use crate::stackless::TaskletExit;

/// A value that a tasklet is given when it runs again (S-087).
pub type Tempval = Option<Box<dyn Any>>;

/// The part of a tasklet that its handles share.
pub(crate) struct Record {
    home: u32,
    phase: RefCell<Phase>,
    /// Counts the functions that it was bound to: which of several `Bound`s is the valid one.
    pub(crate) bindings: Cell<u64>,
    pub(crate) tempval: RefCell<Tempval>,
    pub(crate) block_trap: Cell<bool>,
    pub(crate) atomic: Cell<bool>,
    /// The watchdog that would have interrupted it, had it not been atomic.
    pub(crate) pending_interrupt: Cell<u64>,
    /// Whether its fiber was made by this façade: then it does not outlive the last handle while
    /// it is paused.
    pub(crate) owns_fiber: Cell<bool>,
    /// Callbacks that its fiber is in, and whether one of them is a channel callback. (Marks of the
    /// fiber and not of its scheduler: callbacks may wait, and others run meanwhile.)
    pub(crate) callbacks: Cell<u32>,
    pub(crate) in_channel_callback: Cell<bool>,
}

enum Phase {
    Empty,
    /// The function, of a type that the `Bound` knows.
    Bound(Box<dyn Any>),
    Alive(FiberRef),
}

impl Record {
    /// An empty tasklet of `sched`.
    pub(crate) fn new(sched: &Scheduler) -> Rc<Record> {
        Rc::new(Record {
            home: sched.id,
            phase: RefCell::new(Phase::Empty),
            bindings: Cell::new(0),
            tempval: RefCell::new(None),
            block_trap: Cell::new(false),
            atomic: Cell::new(false),
            pending_interrupt: Cell::new(0),
            owns_fiber: Cell::new(false),
            callbacks: Cell::new(0),
            in_channel_callback: Cell::new(false),
        })
    }

    /// The record of `fiber`, if it has one.
    pub(crate) fn known(fiber: &Header) -> Option<Rc<Record>> {
        let known = fiber.peek_extra(|extra| extra.identity.clone()).flatten();
        known.and_then(|known| known.into_any().downcast().ok())
    }

    /// The record of `fiber`, which is made if it has none.
    pub(crate) fn of(fiber: FiberRef) -> Rc<Record> {
        if let Some(record) = Record::known(&fiber) {
            return record;
        }
        let sched = scheduler().expect("a living fiber has a scheduler");
        let record = Record::new(&sched);
        record.live_as(fiber);
        record
    }

    /// Whether `fiber` is one that this façade has made, and nobody has a handle to it.
    pub(crate) fn is_forgotten(fiber: FiberRef) -> bool {
        let record = Record::of(fiber);
        // The fiber's own, and the one above.
        record.owns_fiber.get() && Rc::strong_count(&record) == 2
    }

    /// Makes `fiber` the life of this tasklet, which has none.
    pub(crate) fn live_as(self: &Rc<Record>, fiber: FiberRef) {
        // It has none yet: nothing is dropped in there.
        fiber.with_extra(|extra| extra.identity = Some(self.clone()));
        let before = self.phase.replace(Phase::Alive(fiber));
        drop(before);
    }

    /// Its scheduler, as long as that runs.
    pub(crate) fn scheduler(&self) -> Option<SchedulerPtr> {
        scheduler().filter(|sched| sched.id == self.home)
    }

    /// Its fiber, as long as that lives.
    pub(crate) fn fiber(&self) -> Option<FiberRef> {
        let phase = self.phase.borrow();
        let Phase::Alive(fiber) = &*phase else { return None };
        let ended = matches!(fiber.state.get(), State::Finished | State::Retired);
        (!ended).then(|| fiber.clone())
    }

    pub(crate) fn is_bound(&self) -> bool {
        matches!(*self.phase.borrow(), Phase::Bound(_))
    }

    /// Stores a function. Returns the number of this binding.
    pub(crate) fn bind(&self, function: Box<dyn Any>) -> u64 {
        let before = self.phase.replace(Phase::Bound(function));
        let binding = self.bindings.get() + 1;
        self.bindings.set(binding);
        drop(before);
        binding
    }

    /// Takes the function out, if it is still that of this binding.
    pub(crate) fn take_function(&self, binding: u64) -> Option<Box<dyn Any>> {
        if self.bindings.get() != binding || !self.is_bound() {
            return None;
        }
        match self.phase.replace(Phase::Empty) {
            Phase::Bound(function) => Some(function),
            _ => unreachable!("just seen to be bound"),
        }
    }

    /// Drops the function, or the fiber that has not started, if there is one.
    pub(crate) fn empty(&self) {
        let before = self.phase.replace(Phase::Empty);
        if let (Phase::Alive(fiber), Some(sched)) = (&before, self.scheduler()) {
            sched.discard(fiber.ptr());
        }
        drop(before);
        drop(self.tempval.take());
    }

    /// As errors and reports call it.
    pub(crate) fn describe(&self) -> String {
        match &*self.phase.borrow() {
            Phase::Alive(fiber) => format!("tasklet of {}", end::describe(fiber)),
            Phase::Bound(_) => "a bound tasklet".into(),
            Phase::Empty => "an empty or dead tasklet".into(),
        }
    }
}

impl Identity for Record {
    fn into_any(self: Rc<Record>) -> Rc<dyn Any> {
        self
    }

    fn ended(&self, unmet: Option<Payload>, killed: bool) {
        let who = self.describe();
        // The function of a new binding stays: the tasklet may have been emptied and bound again.
        let fiber = match self.phase.replace(Phase::Empty) {
            Phase::Alive(fiber) => Some(fiber),
            other => {
                self.phase.replace(other);
                None
            }
        };
        drop(fiber);
        self.atomic.set(false);
        let tempval = self.tempval.take();
        match unmet {
            Some(payload) if !killed && !payload.is::<TaskletExit>() => {
                end::report_lost(format_args!("what was thrown at {who} came too late"), payload);
            }
            unmet => drop(unmet),
        }
        drop(tempval);
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}
