//! What a deed finds at the point where it is done: the fibers, tasklets and handles of the hook.
//!
//! Invariants:
//! - A stage belongs to a thread, and with it to one combination.
//! - [`strike`] is called by user code at the point, and by nothing else. The deed is done at the
//!   first few calls only, so that it cannot bring itself about for ever.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::thread;

use fibra::Fiber;
use fibra::stackless::Tasklet;

use super::deeds::Deed;
use super::ledger::Counted;

thread_local! {
    static STAGE: RefCell<Option<Rc<Stage>>> = const { RefCell::new(None) };
}

/// What a deed can reach.
pub(crate) struct Stage {
    deed: &'static Deed,
    strikes: Cell<u32>,
    struck_outside: Cell<bool>,
    fibers: RefCell<Vec<Fiber>>,
    tasklets: RefCell<Vec<Tasklet>>,
    held: RefCell<Vec<Box<dyn Any>>>,
    meddling: RefCell<Vec<Rc<dyn Fn()>>>,
}

/// Does the deed, if there is one to do.
pub(crate) fn strike() {
    if let Some(stage) = stage() {
        stage.strike();
    }
}

/// Strikes where user code was to have run, if a deed kept it from that.
pub(crate) fn strike_if_never() {
    if stage().is_some_and(|stage| stage.strikes() == 0) {
        strike();
    }
}

/// The stage of this thread.
pub(crate) fn stage() -> Option<Rc<Stage>> {
    STAGE.try_with(|stage| stage.borrow().clone()).ok().flatten()
}

impl Stage {
    /// Sets this thread's stage up for `deed`.
    pub(crate) fn set_up(deed: &'static Deed) -> Rc<Stage> {
        let stage = Rc::new(Stage {
            deed,
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
        if strikes <= self.deed.times && !(self.deed.unwinds && thread::panicking()) {
            self.act();
        }
    }

    fn act(self: &Rc<Stage>) {
        if fibra::in_fiber() {
            return (self.deed.act)(self);
        }
        // Most deeds are refused here, by a panic.
        self.struck_outside.set(true);
        let acts = AssertUnwindSafe(|| (self.deed.act)(self));
        if let Err(payload) = panic::catch_unwind(acts) {
            let _ = panic::catch_unwind(AssertUnwindSafe(|| drop(payload)));
        }
    }

    /// Whether the point was passed outside of every fiber.
    pub(crate) fn struck_outside(&self) -> bool {
        self.struck_outside.get()
    }

    /// How often the point was passed.
    pub(crate) fn strikes(&self) -> u32 {
        self.strikes.get()
    }

    /// Names a fiber that deeds may aim at.
    pub(crate) fn know(&self, fiber: &Fiber) {
        self.fibers.borrow_mut().push(fiber.clone());
    }

    pub(crate) fn fibers(&self) -> Vec<Fiber> {
        self.fibers.borrow().clone()
    }

    /// Names a tasklet that deeds may aim at.
    pub(crate) fn know_tasklet(&self, tasklet: &Tasklet) {
        self.tasklets.borrow_mut().push(tasklet.clone());
    }

    pub(crate) fn tasklets(&self) -> Vec<Tasklet> {
        self.tasklets.borrow().clone()
    }

    /// Keeps what a deed may drop: the last handles of what is being worked on.
    pub(crate) fn hold(&self, value: impl Any) {
        self.held.borrow_mut().push(Box::new(value));
    }

    /// Drops what is held, in the order in which it came.
    pub(crate) fn drop_held(&self) {
        while let Some(value) = {
            let mut held = self.held.borrow_mut();
            (!held.is_empty()).then(|| held.remove(0))
        } {
            drop(value);
        }
    }

    /// Offers something to do with what is being worked on.
    pub(crate) fn offer(&self, meddle: impl Fn() + 'static) {
        self.meddling.borrow_mut().push(Rc::new(meddle));
    }

    /// Does all that was offered.
    pub(crate) fn meddle(&self) {
        let meddling = self.meddling.borrow().clone();
        meddling.iter().for_each(|meddle| meddle());
    }

    /// Lets go of everything.
    pub(crate) fn clear(&self) {
        self.drop_held();
        let meddling = self.meddling.take();
        let tasklets = self.tasklets.take();
        let fibers = self.fibers.take();
        drop((meddling, tasklets, fibers));
        self.drop_held();
    }
}

/// Does the deed in its destructor, and counts.
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
