//! The hooks of a scheduler: code of the user that is told of what happens to its fibers.
//!
//! ```text
//!   on a fiber                      in the run loop, or in the middle of an operation
//!   entered, left, waits, ended     spawned, woken, abandoned
//!        |                               | plain data, with the time
//!        v                               v
//!     hooks <----------------------- pending, told before the next event on a fiber
//! ```
//!
//! [`observe`](crate::sched::core::observe) calls this where something happens on a fiber.
//!
//! Invariants:
//! - Hooks are called on fibers, at a door, where nothing is borrowed: they must not wait, and a
//!   panic in them is reported.
//! - Events are told in the order in which they happen on the scheduler.

use std::cell::RefCell;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Instant;

use crate::fiber::carried;
use crate::fiber::current;
use crate::fiber::header::FiberPtr;
use crate::fiber::id::FiberId;
use crate::fiber::state::FirstTurn;

/// Code that is told of what happens to the fibers of a runtime: see
/// [`RuntimeBuilder::hooks`](crate::RuntimeBuilder::hooks).
///
/// Each method does nothing by default. `at` is the time of the event, by the scheduler's clock.
///
/// The methods are called on the fibers of the runtime, by several threads at the same time if it
/// has several. Events of one scheduler are told in their order. Those that happen where no code of
/// a user may run (a spawn, a wake) are told a little later, before the next event on a fiber.
///
/// The rules are those of the code of a [context](crate::context#rules): a method must not wait,
/// and a panic in it is reported and not passed on.
pub trait Hooks: Send + Sync + 'static {
    /// A fiber was spawned: by the fiber `by`, at `location`. Jobs of a runtime are spawned by no
    /// fiber, on the scheduler that starts them.
    fn spawned(&self, at: Instant, fiber: FiberId, spawned: &Spawned) {
        let _ = (at, fiber, spawned);
    }

    /// A fiber begins or resumes: it runs on its thread from now on.
    fn entered(&self, at: Instant, fiber: FiberId) {
        let _ = (at, fiber);
    }

    /// A fiber is about to wait at `location`. `reason` is what dumps show: "asleep".
    ///
    /// [`left`](Hooks::left) follows. If it follows without this, the fiber yields.
    fn waits(
        &self,
        at: Instant,
        fiber: FiberId,
        reason: &'static str,
        location: &'static Location<'static>,
    ) {
        let _ = (at, fiber, reason, location);
    }

    /// A fiber leaves its thread, or its closure has ended.
    fn left(&self, at: Instant, fiber: FiberId) {
        let _ = (at, fiber);
    }

    /// A fiber that waited was made ready: by the fiber `by`, or by a timer, an event or another
    /// thread.
    fn woken(&self, at: Instant, fiber: FiberId, by: Option<FiberId>) {
        let _ = (at, fiber, by);
    }

    /// The closure of a fiber has returned or unwound, or the fiber was abandoned, or was killed
    /// before it ran. Only its fiber-locals and its result may still have to be dropped, by which
    /// it may wait without further events.
    fn ended(&self, at: Instant, fiber: FiberId) {
        let _ = (at, fiber);
    }
}

/// How a fiber was spawned: see [`Hooks::spawned`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Spawned {
    /// The name of the fiber, if its builder gave it one.
    pub name: Option<Arc<str>>,
    /// The fiber that has spawned it; `None` for main fibers and jobs.
    pub by: Option<FiberId>,
    /// The place where it was spawned.
    pub location: &'static Location<'static>,
}

/// An event that could not be told when it happened.
enum Pending {
    Spawned(Spawned),
    Woken(Option<FiberId>),
    Ended,
}

/// The hooks of one scheduler, and the events that they are told later.
pub(crate) struct Observer {
    hooks: Arc<dyn Hooks>,
    pending: RefCell<Vec<(Instant, FiberId, Pending)>>,
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").finish_non_exhaustive()
    }
}

impl Observer {
    pub(crate) fn new(hooks: Arc<dyn Hooks>) -> Observer {
        Observer { hooks, pending: RefCell::new(Vec::new()) }
    }

    /// Tells the hooks the pending events, and calls `f` on them, on the running fiber.
    pub(crate) fn tell(&self, now: Instant, fiber: FiberPtr, f: impl Fn(&dyn Hooks, Instant)) {
        self.tell_pending(fiber);
        carried::at_door(fiber, WHOSE, || f(&*self.hooks, now));
    }

    /// Passes the pending events to the hooks, on the running fiber. Returns whether there were
    /// any.
    pub(crate) fn tell_pending(&self, fiber: FiberPtr) -> bool {
        let hooks = &*self.hooks;
        let pending = self.pending.take();
        let any = !pending.is_empty();
        for (at, about, event) in pending {
            carried::at_door(fiber, WHOSE, || match &event {
                Pending::Spawned(spawned) => hooks.spawned(at, about, spawned),
                Pending::Woken(by) => hooks.woken(at, about, *by),
                Pending::Ended => hooks.ended(at, about),
            });
        }
        any
    }

    /// Records that `fiber` was spawned, and makes its first turn call the hooks.
    pub(crate) fn note_spawn(&self, now: Instant, fiber: FiberPtr) {
        fiber.first_turn.set(fiber.first_turn.get().with(FirstTurn::OBSERVED));
        let name = fiber.peek_extra(|extra| extra.name.clone()).flatten();
        let spawned = Spawned { name, by: current_id(), location: fiber.location.get() };
        self.note(now, fiber, Pending::Spawned(spawned));
    }

    /// Records that `fiber` was woken.
    pub(crate) fn note_wake(&self, now: Instant, fiber: FiberPtr) {
        self.note(now, fiber, Pending::Woken(current_id()));
    }

    /// Records that `fiber` was abandoned.
    pub(crate) fn note_end(&self, now: Instant, fiber: FiberPtr) {
        self.note(now, fiber, Pending::Ended);
    }

    /// Keeps an event for the hooks, unless the closure of `fiber` has ended.
    fn note(&self, now: Instant, fiber: FiberPtr, event: Pending) {
        if fiber.first_turn.get().has(FirstTurn::OBSERVED) {
            self.pending.borrow_mut().push((now, fiber.id(), event));
        }
    }
}

fn current_id() -> Option<FiberId> {
    current::fiber().map(|fiber| fiber.id())
}

/// The name of hooks in the reports of their panics.
const WHOSE: &str = "a hook of the runtime";
