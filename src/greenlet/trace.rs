//! Tells a tracer of every switch, in the greenlet that it leads to.
//!
//! Invariants:
//! - While a tracer runs its world refuses to switch: a tracer sees one switch at a time.
//! - A tracer that panics is taken off, and its panic is raised in the target.

use std::cell::Cell;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::greenlet::error::Payload;
use crate::greenlet::world::{Attention, World, here};

/// What happened. More may be added, so match with a wildcard (G-097).
#[derive(Copy, Clone, Debug, Eq, PartialEq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// A value, or a [`GreenletExit`](crate::greenlet::GreenletExit) that has ended a greenlet,
    /// went from the origin to the target.
    Switch,
    /// Something is raised in the target.
    Throw,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Event::Switch => "switch",
            Event::Throw => "throw",
        })
    }
}

/// Tells a greenlet from all others of the process, whatever they exchange.
///
/// All the handles of a frame's main greenlet have the same.
#[derive(Copy, Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct GreenletId(u64);

impl fmt::Display for GreenletId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// An identity that is given at its first use: most greenlets are never asked for theirs.
#[derive(Default)]
pub(super) struct LazyId(Cell<u64>);

impl LazyId {
    pub(super) fn get(&self) -> GreenletId {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        if self.0.get() == 0 {
            self.0.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        GreenletId(self.0.get())
    }
}

/// What [`settrace`] takes: it is called with the event, the origin and the target.
pub type Tracer = dyn Fn(Event, GreenletId, GreenletId);

/// Calls `tracer` after every switch of this fiber's (or frame's) greenlets, in the target, from here
/// on; `None` ends that. Returns the tracer before (G-092..G-099).
///
/// A tracer that panics is taken off, and its panic is raised where the switch led to, in place of
/// the value. A tracer cannot switch: it gets [`SwitchError::Tracing`].
///
/// [`SwitchError::Tracing`]: crate::greenlet::SwitchError::Tracing
///
/// # Panics
///
/// Outside of `fibra::frame` and `fibra::run`.
///
/// # Examples
///
/// ```
/// use fibra::greenlet::{self, Greenlet};
/// use std::rc::Rc;
///
/// fibra::frame(|| {
///     let main = greenlet::main::<()>().id();
///     greenlet::settrace(Some(Rc::new(move |event, origin, target| {
///         println!("{event}: {}", if target == main { "back to main" } else { "away" });
///         # let _ = origin;
///     })));
///     Greenlet::new(|()| ()).switch(()).unwrap(); // "switch: away", "switch: back to main"
///     greenlet::settrace(None);
/// });
/// ```
#[track_caller]
pub fn settrace(tracer: Option<Rc<Tracer>>) -> Option<Rc<Tracer>> {
    let world = here();
    world.attend(Attention::TRACER, tracer.is_some());
    world.tracer.replace(tracer)
}

/// The tracer of this fiber's (or frame's) greenlets, if there is one.
///
/// # Panics
///
/// Outside of `fibra::frame` and `fibra::run`.
#[track_caller]
#[must_use]
pub fn gettrace() -> Option<Rc<Tracer>> {
    here().tracer.borrow().clone()
}

impl World {
    /// A switch is about to happen: whoever arrives tells the tracer, if there is one.
    pub(super) fn note(&self, event: Event, origin: impl FnOnce() -> GreenletId) {
        if self.attends(Attention::TRACER) {
            self.traced.set(Some((event, origin())));
        }
    }

    /// Tells the tracer of the switch that has led to `target`. Returns what it panicked with.
    pub(super) fn tell_tracer(&self, target: impl FnOnce() -> GreenletId) -> Option<Payload> {
        let (event, origin) = self.traced.take()?;
        let tracer = self.tracer.borrow().clone()?;
        self.attend(Attention::TRACING, true);
        let target = target();
        // What it leaves broken is seen by itself alone, which is taken off.
        let result = panic::catch_unwind(AssertUnwindSafe(|| tracer(event, origin, target)));
        self.attend(Attention::TRACING, false);
        let panicked = result.err()?;
        let before = self.tracer.take();
        self.attend(Attention::TRACER, false);
        self.quietly("the destructor of a tracer", || drop((tracer, before)));
        Some(panicked)
    }
}
