//! Tracers: functions that are called for every switch, in the greenlet that it leads to.
//!
//! Invariants:
//! - While a tracer runs, its context refuses to switch: a tracer sees one switch at a time.
//! - A tracer that panics is removed, and its panic is raised in the target.

use std::cell::Cell;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::greenlet::context::{Context, Flags, current_context};
use crate::greenlet::error::Payload;

/// The kind of a switch. More kinds may be added, so match with a wildcard.
///
/// # Examples
///
/// ```
/// use fibra::greenlet::{self, Event, Greenlet};
/// use std::cell::RefCell;
/// use std::rc::Rc;
///
/// fibra::frame(|| {
///     let events = Rc::new(RefCell::new(Vec::new()));
///     let log = events.clone();
///     greenlet::settrace(Some(Rc::new(move |event, _, _| log.borrow_mut().push(event))));
///     Greenlet::new(|()| ()).switch(()).unwrap();
///     greenlet::settrace(None);
///     assert_eq!(*events.borrow(), [Event::Switch, Event::Switch]); // there and back
/// });
/// ```
#[derive(Copy, Clone, Debug, Eq, PartialEq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// A value went from the origin to the target, or a
    /// [`GreenletExit`](crate::greenlet::GreenletExit) that has ended a greenlet.
    Switch,
    /// A payload is raised in the target.
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

/// The identity of a greenlet, which differs from that of all others of the process, whatever their
/// families.
///
/// All the handles of a frame's main greenlet have the same.
///
/// # Examples
///
/// ```
/// use fibra::greenlet::Greenlet;
///
/// fibra::frame(|| {
///     let (a, b) = (Greenlet::new(|()| ()), Greenlet::new(|()| ()));
///     assert_ne!(a.id(), b.id());
///     assert_eq!(a.id(), a.clone().id());
/// });
/// ```
#[derive(Copy, Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct GreenletId(u64);

impl fmt::Display for GreenletId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// An identity that is assigned at its first use: most greenlets are never asked for theirs.
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

/// A function for [`settrace`]: it is called with the event, the origin and the target.
pub type Tracer = dyn Fn(Event, GreenletId, GreenletId);

/// Sets the tracer of this fiber's (or frame's) greenlets, which is called after every switch, in
/// the target, from now on; `None` removes it. Returns the previous tracer.
///
/// A tracer that panics is removed, and its panic is raised where the switch led to, in place of
/// the value. A tracer cannot switch: its switches return [`SwitchError::Tracing`].
///
/// [`SwitchError::Tracing`]: crate::greenlet::SwitchError::Tracing
///
/// # Panics
///
/// Panics outside of `fibra::frame` and `fibra::run`.
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
    let context = current_context();
    context.set_flag(Flags::TRACER, tracer.is_some());
    context.tracer.replace(tracer)
}

/// Returns the tracer of this fiber's (or frame's) greenlets, if there is one.
///
/// # Panics
///
/// Panics outside of `fibra::frame` and `fibra::run`.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
/// use fibra::greenlet::{gettrace, settrace};
///
/// fibra::frame(|| {
///     assert!(gettrace().is_none());
///     settrace(Some(Rc::new(|_, _, _| ())));
///     assert!(gettrace().is_some());
/// });
/// ```
#[track_caller]
#[must_use]
pub fn gettrace() -> Option<Rc<Tracer>> {
    current_context().tracer.borrow().clone()
}

impl Context {
    /// Records a switch that is about to happen: the greenlet that arrives calls the tracer, if
    /// there is one.
    pub(super) fn note(&self, event: Event, origin: impl FnOnce() -> GreenletId) {
        if self.has_flag(Flags::TRACER) {
            self.traced.set(Some((event, origin())));
        }
    }

    /// Calls the tracer for the switch that has led to `target`. Returns the payload that it
    /// panicked with.
    pub(super) fn tell_tracer(&self, target: impl FnOnce() -> GreenletId) -> Option<Payload> {
        let (event, origin) = self.traced.take()?;
        let tracer = self.tracer.borrow().clone()?;
        self.set_flag(Flags::TRACING, true);
        let target = target();
        // An inconsistent state that it leaves is seen only by the tracer itself, which is removed.
        let result = panic::catch_unwind(AssertUnwindSafe(|| tracer(event, origin, target)));
        self.set_flag(Flags::TRACING, false);
        let panicked = result.err()?;
        let before = self.tracer.take();
        self.set_flag(Flags::TRACER, false);
        self.quietly("the destructor of a tracer", || drop((tracer, before)));
        Some(panicked)
    }
}
