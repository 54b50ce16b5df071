//! The things that an action finds at its point: the fibers, tasklets and handles of the scenario.
//!
//! Invariants:
//! - A stage belongs to a thread, and so to one combination.
//! - [`strike`] is called by user code at the point, and by no other code. The action is done at
//!   the first few calls only, so that it cannot cause itself forever.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::thread;

use fibra::Fiber;
use fibra::stackless::Tasklet;

use super::actions::Action;
use super::ledger::Counted;

thread_local! {
    static STAGE: RefCell<Option<Rc<Stage>>> = const { RefCell::new(None) };
}

/// The things that an action can reach.
pub(crate) struct Stage {
    action: &'static Action,
    strikes: Cell<u32>,
    struck_outside: Cell<bool>,
    fibers: RefCell<Vec<Fiber>>,
    tasklets: RefCell<Vec<Tasklet>>,
    held: RefCell<Vec<Box<dyn Any>>>,
    meddling: RefCell<Vec<Rc<dyn Fn()>>>,
}

/// Does the action, if there is one.
pub(crate) fn strike() {
    if let Some(stage) = stage() {
        stage.strike();
    }
}

/// Strikes if the action kept user code from running at its point.
pub(crate) fn strike_if_never() {
    if stage().is_some_and(|stage| stage.strikes() == 0) {
        strike();
    }
}

/// Returns the stage of this thread.
pub(crate) fn stage() -> Option<Rc<Stage>> {
    STAGE.try_with(|stage| stage.borrow().clone()).ok().flatten()
}

impl Stage {
    /// Sets this thread's stage up for `action`.
    pub(crate) fn set_up(action: &'static Action) -> Rc<Stage> {
        let stage = Rc::new(Stage {
            action,
            strikes: Cell::new(0),
            struck_outside: Cell::new(false),
            fibers: RefCell::default(),
            tasklets: RefCell::default(),
            held: RefCell::default(),
            meddling: RefCell::default(),
        });
        STAGE.set(Some(stage.clone()));
        stage
    }

    /// Takes this thread's stage down.
    pub(crate) fn take_down() {
        if let Some(stage) = STAGE.take() {
            stage.clear();
        }
    }

    fn strike(self: &Rc<Stage>) {
        let strikes = self.strikes.get() + 1;
        self.strikes.set(strikes);
        if strikes <= self.action.times && !(self.action.unwinds && thread::panicking()) {
            self.act();
        }
    }

    fn act(self: &Rc<Stage>) {
        if fibra::in_fiber() {
            return (self.action.act)(self);
        }
        // Most actions are refused here, by a panic.
        self.struck_outside.set(true);
        let acts = AssertUnwindSafe(|| (self.action.act)(self));
        if let Err(payload) = panic::catch_unwind(acts) {
            let _ = panic::catch_unwind(AssertUnwindSafe(|| drop(payload)));
        }
    }

    /// Returns whether the point was passed outside all fibers.
    pub(crate) fn struck_outside(&self) -> bool {
        self.struck_outside.get()
    }

    /// Returns how often the point was passed.
    pub(crate) fn strikes(&self) -> u32 {
        self.strikes.get()
    }

    /// Adds a fiber that actions may aim at.
    pub(crate) fn know(&self, fiber: &Fiber) {
        self.fibers.borrow_mut().push(fiber.clone());
    }

    pub(crate) fn fibers(&self) -> Vec<Fiber> {
        self.fibers.borrow().clone()
    }

    /// Adds a tasklet that actions may aim at.
    pub(crate) fn know_tasklet(&self, tasklet: &Tasklet) {
        self.tasklets.borrow_mut().push(tasklet.clone());
    }

    pub(crate) fn tasklets(&self) -> Vec<Tasklet> {
        self.tasklets.borrow().clone()
    }

    /// Keeps a value that an action may drop: a last handle of an object in use.
    pub(crate) fn hold(&self, value: impl Any) {
        self.held.borrow_mut().push(Box::new(value));
    }

    /// Drops the held values, in the order in which they were added.
    pub(crate) fn drop_held(&self) {
        while let Some(value) = {
            let mut held = self.held.borrow_mut();
            (!held.is_empty()).then(|| held.remove(0))
        } {
            drop(value);
        }
    }

    /// Adds an action on the objects in use that an action may call.
    pub(crate) fn offer(&self, meddle: impl Fn() + 'static) {
        self.meddling.borrow_mut().push(Rc::new(meddle));
    }

    /// Calls all actions that were added.
    pub(crate) fn meddle(&self) {
        let meddling = self.meddling.borrow().clone();
        meddling.iter().for_each(|meddle| meddle());
    }

    /// Drops everything that the stage holds.
    pub(crate) fn clear(&self) {
        self.drop_held();
        let meddling = self.meddling.take();
        let tasklets = self.tasklets.take();
        let fibers = self.fibers.take();
        drop((meddling, tasklets, fibers));
        self.drop_held();
    }
}

/// Does the action in its destructor, and is a counted value.
pub(crate) struct Hostile {
    _counted: Counted,
}

impl Hostile {
    pub(crate) fn new(what: &'static str) -> Hostile {
        Hostile { _counted: Counted::new(what) }
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        strike();
    }
}

/// Calls a closure when it is dropped.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
