//! Where the [hooks](crate::sched::core::observer) of a scheduler are called.
//!
//! A scheduler without hooks pays nothing. One that has some makes its fibers special: each runs in
//! a region with a [context](crate::fiber::carried) of its own, so that its waits and yields take
//! the slow ways out; spawns take the path of a scheduler that is closing, and wakes that of a
//! fiber of another scheduler.

use std::panic::Location;
use std::sync::Arc;
use std::time::Instant;

use crate::fiber::carried::{self, Carried};
use crate::fiber::header::FiberPtr;
use crate::fiber::state::{FirstTurn, Signals, WaitReason};
use crate::sched::core::observer::{Hooks, Observer};
use crate::sched::core::scheduler::{CurrentFiber, Scheduler, scheduler};

impl Scheduler {
    /// Calls `hooks` for all fibers that are spawned from now on. Does nothing if it has hooks.
    pub(crate) fn observe(&self, hooks: Arc<dyn Hooks>) {
        if self.observer.set(Observer::new(hooks)).is_ok() {
            self.admits_specially.set(true);
            self.unobserved.set(0);
        }
    }
}

/// Runs the closure of `fiber`, and calls the hooks each time that it begins or leaves.
pub(crate) fn run<R>(fiber: FiberPtr, f: impl FnOnce() -> R) -> R {
    carried::carry(Some(fiber), &Observed(fiber), f)
}

/// Tells the hooks, if there are any, that the closure of `fiber` has ended. That is the last event
/// of the fiber.
pub(crate) fn tell_end(fiber: FiberPtr) {
    tell(fiber, |hooks, at| hooks.ended(at, fiber.id()));
    fiber.first_turn.set(fiber.first_turn.get().without(FirstTurn::OBSERVED));
}

/// Passes the events that are left to the hooks, on `main`, which waits for the end of all other
/// fibers. Returns whether there were any: user code has run.
pub(crate) fn tell_rest(sched: &Scheduler, main: FiberPtr) -> bool {
    sched.observer.get().is_some_and(|observer| observer.tell_pending(main))
}

/// Tells the hooks, if there are any, that the current fiber is about to wait.
pub(crate) fn tell_wait(
    current: CurrentFiber,
    reason: &'static WaitReason,
    location: &'static Location<'static>,
) {
    let CurrentFiber { fiber, sched } = current;
    let signals = fiber.signals.get();
    if signals.has(Signals::CARRIES) && !signals.has(Signals::AWAY) {
        tell_by(&sched, fiber, |hooks, at| hooks.waits(at, fiber.id(), reason.text, location));
    }
}

/// The outermost context of a fiber that is observed.
struct Observed(FiberPtr);

impl Carried for Observed {
    fn enter(&self) {
        tell(self.0, |hooks, at| hooks.entered(at, self.0.id()));
    }

    fn leave(&self) {
        tell(self.0, |hooks, at| hooks.left(at, self.0.id()));
    }
}

fn tell(fiber: FiberPtr, f: impl Fn(&dyn Hooks, Instant)) {
    scheduler().into_iter().for_each(|sched| tell_by(&sched, fiber, &f));
}

fn tell_by(sched: &Scheduler, fiber: FiberPtr, f: impl Fn(&dyn Hooks, Instant)) {
    if let Some(observer) = sched.observer.get() {
        observer.tell(sched.time.clock.now(), fiber, f);
    }
}
