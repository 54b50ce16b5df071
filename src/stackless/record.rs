//! The record of a tasklet: it outlives the tasklet's fiber, and may be given another one.
//!
//! ```text
//!              bind(f)            setup(args), bind(f, args)
//!   [Empty] ------------> [Bound] ---------------------------> [Alive: a fiber]
//!      ^ <---- unbind ------'                                        |
//!      '------------------ the fiber has ended, or was unbound ------'
//! ```
//!
//! Invariants:
//! - A living fiber holds its record, and the record holds the fiber, until the end of the fiber
//!   separates them (`Identity::ended`).
//! - No user value is dropped, and no user code called, while one of the cells is borrowed.
//! - A record belongs to one scheduler forever; when that scheduler is over, the record is dead.

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

/// A value that a tasklet gets when it runs again.
pub type Tempval = Option<Box<dyn Any>>;

/// The part of a tasklet that its handles share.
pub(crate) struct Record {
    /// The identity of the scheduler that the tasklet belongs to.
    home: u32,
    phase: RefCell<Phase>,
    /// The number of functions that the tasklet was bound to, which identifies the valid one of
    /// several `Bound`s.
    pub(crate) bindings: Cell<u64>,
    pub(crate) tempval: RefCell<Tempval>,
    pub(crate) block_trap: Cell<bool>,
    pub(crate) atomic: Cell<bool>,
    /// The serial number of the run limit that would have interrupted the tasklet if it had not
    /// been atomic.
    pub(crate) pending_interrupt: Cell<u64>,
    /// Whether the fiber was made by this façade. Such a fiber does not outlive the last handle
    /// while it is paused.
    pub(crate) owns_fiber: Cell<bool>,
    /// The number of callbacks that the fiber is in, and whether one of them is a channel callback.
    /// (These belong to the fiber and not to its scheduler, because a callback may wait, and other
    /// fibers run meanwhile.)
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
    /// Creates the record of an empty tasklet of `sched`.
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

    /// Returns the record of `fiber`, if it has one.
    pub(crate) fn known(fiber: &Header) -> Option<Rc<Record>> {
        let known = fiber.peek_extra(|extra| extra.identity.clone()).flatten();
        known.and_then(|known| known.into_any().downcast().ok())
    }

    /// Returns the record of `fiber`. Creates it if there is none.
    pub(crate) fn of(fiber: FiberRef) -> Rc<Record> {
        if let Some(record) = Record::known(&fiber) {
            return record;
        }
        let sched = scheduler().expect("a living fiber has a scheduler");
        let record = Record::new(&sched);
        record.live_as(fiber);
        record
    }

    /// Returns whether this façade has made `fiber`, and no handle to it exists.
    pub(crate) fn is_forgotten(fiber: FiberRef) -> bool {
        let record = Record::of(fiber);
        // The two references are that of the fiber and the one above.
        record.owns_fiber.get() && Rc::strong_count(&record) == 2
    }

    /// Makes `fiber` the fiber of this tasklet, which has none.
    pub(crate) fn live_as(self: &Rc<Record>, fiber: FiberRef) {
        // The fiber has no record yet, so nothing is dropped inside of `with_extra`.
        fiber.with_extra(|extra| extra.identity = Some(self.clone()));
        let before = self.phase.replace(Phase::Alive(fiber));
        drop(before);
    }

    /// Returns the scheduler, while that runs.
    pub(crate) fn scheduler(&self) -> Option<SchedulerPtr> {
        scheduler().filter(|sched| sched.id == self.home)
    }

    /// Returns the fiber, while that lives.
    pub(crate) fn fiber(&self) -> Option<FiberRef> {
        let phase = self.phase.borrow();
        let Phase::Alive(fiber) = &*phase else { return None };
        let ended = matches!(fiber.state.get(), State::Finished | State::Abandoned);
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

    /// Takes the function out, if it still belongs to this binding.
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

    /// Returns the description of the tasklet for errors and reports.
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
        let tasklet = self.describe();
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
                end::report_lost(
                    format_args!("what was thrown at {tasklet} came too late"),
                    payload,
                );
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
