//! Regions of a stack that carry a context: a value that is current on the thread while the code of
//! the region runs. It is taken off the thread when the stack is left in the middle of the region,
//! and put back when the stack goes on.
//!
//! ```text
//!   carry(A) --- carry(B) --- wait                                  --- wait completed
//!     enter A      enter B      leave B, leave A | suspend | resume | enter A, enter B
//! ```
//!
//! A region is a cancel scope that is neither cancelled nor a shield. So it is in the list of the
//! stack on which it was opened: when a generator is suspended, the contexts of its regions are
//! taken off the thread, and those of the code that has resumed it stay.
//!
//! Invariants:
//! - A fiber has the signal `CARRIES` exactly if a region is in its list. Each way out of a fiber
//!   checks it: waits together with the other signals, and yields in
//!   [`leave`](mod@crate::sched::core::leave).
//! - `enter` and `leave` run at a door: on the stack that is being left, inside a shield, while the
//!   signal `AT_DOOR` is set. They must not wait, and cannot leave a coroutine, because
//!   the records that are being visited lie on the stacks below: no coroutine is current meanwhile.
//! - A panic in `enter` or `leave` at a door is reported and not passed on: the wait has completed,
//!   and its result would be lost.

#![allow(unsafe_code, reason = "follows the list of regions, which lie on stacks")]

use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::ptr;

use crate::collections::timing_wheel::TimerKey;
use crate::fiber::cancel;
use crate::fiber::cancel_scope::CancelScope;
use crate::fiber::frame::{self, AtDoor, Frame};
use crate::fiber::header::FiberPtr;
use crate::fiber::payload;
use crate::fiber::report;
use crate::fiber::state::Signals;

/// A value that can be made current on the thread, and taken off again: for [`carry`].
///
/// [`carry`]: crate::context::carry
///
/// # Examples
///
/// See the [module](crate::context).
pub trait Carried {
    /// Makes the value current on this thread.
    ///
    /// It is called when the region begins, and each time that the fiber resumes in the middle of
    /// it. See the rules in the [module](crate::context).
    fn enter(&self);

    /// Takes the value off this thread, so that the thread is in the state in which it was before
    /// [`enter`](Carried::enter).
    ///
    /// It is called when the region ends, and each time that the fiber is suspended in the middle
    /// of it. See the rules in the [module](crate::context).
    fn leave(&self);
}

/// The record of a region, on the stack where it was opened.
#[repr(C)]
struct Region {
    /// The first field: the list links these.
    scope: CancelScope,
    context: *const dyn Carried,
}

/// Runs `f` while `context` is current on the thread whenever `fiber`, the running fiber, runs the
/// code of `f`. Without a fiber, nothing is left in the middle.
pub(crate) fn carry<R>(fiber: Option<FiberPtr>, context: &dyn Carried, f: impl FnOnce() -> R) -> R {
    context.enter();
    let entered = LeaveInUnwind(context);
    let result = match fiber {
        Some(fiber) => within_region(fiber, context, f),
        None => f(),
    };
    mem::forget(entered);
    context.leave();
    result
}

fn within_region<R>(fiber: FiberPtr, context: &dyn Carried, f: impl FnOnce() -> R) -> R {
    let context: *const (dyn Carried + '_) = context;
    // SAFETY: this changes the lifetime only. The region is in the list until `_open` is dropped,
    // at the end of this function, and `context` is borrowed for longer.
    let context = unsafe {
        mem::transmute::<*const (dyn Carried + '_), *const (dyn Carried + 'static)>(context)
    };
    let region = Region { scope: CancelScope::carrying(), context };
    let _open = Open::new(fiber, &region);
    f()
}

/// A guard that leaves a context when an unwind drops it, after the region was closed.
struct LeaveInUnwind<'a>(&'a dyn Carried);

impl Drop for LeaveInUnwind<'_> {
    fn drop(&mut self) {
        quietly("`leave` of a context", || self.0.leave());
    }
}

/// An open region. It is closed when this is dropped.
struct Open<'a> {
    fiber: FiberPtr,
    region: &'a Region,
}

impl Open<'_> {
    fn new(fiber: FiberPtr, region: &Region) -> Open<'_> {
        region.scope.outer.set(fiber.cancel_scopes.get());
        // A pointer to the whole record, from which `next` gets the other field.
        fiber.cancel_scopes.set(ptr::from_ref(region).cast());
        fiber.signal(Signals::CARRIES);
        Open { fiber, region }
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let outer = self.region.scope.outer.get();
        self.fiber.cancel_scopes.set(outer);
        note(self.fiber, outer);
    }
}

/// Records whether a region is in the list that begins with `first`, which is, or will be, that of
/// `fiber`.
pub(crate) fn note(fiber: FiberPtr, first: *const CancelScope) {
    let others = fiber.signals.get().without(Signals::CARRIES);
    let carries = if has_region(first, ptr::null()) { Signals::CARRIES } else { Signals::NONE };
    fiber.signals.set(others.with(carries));
}

/// Takes all contexts of `fiber`, which is about to leave its thread, off it. Returns whether user
/// code was called; not if they are off already.
#[cold]
pub(crate) fn go_away(fiber: FiberPtr) -> bool {
    let signals = fiber.signals.get();
    if !signals.has(Signals::CARRIES) || signals.has(Signals::AWAY.with(Signals::AT_DOOR)) {
        return false;
    }
    leave_those(fiber, fiber.cancel_scopes.get(), ptr::null());
    fiber.signal(Signals::AWAY);
    true
}

/// Puts the contexts of `fiber`, which runs again, back onto its thread, if they are off.
#[cold]
pub(crate) fn come_back(fiber: FiberPtr) {
    let signals = fiber.signals.get();
    if signals.has(Signals::AWAY) {
        fiber.signals.set(signals.without(Signals::AWAY));
        enter_those(fiber, fiber.cancel_scopes.get(), ptr::null());
    }
}

/// Takes the contexts of the regions from `first` up to `end` off the thread, the innermost first.
#[cold]
pub(crate) fn leave_those(fiber: FiberPtr, first: *const CancelScope, end: *const CancelScope) {
    let _door = Door::open(fiber);
    cancel::within(fiber, &CancelScope::shield(), || {
        let mut at = first;
        while let Some(context) = next(&mut at, end) {
            // SAFETY: a region in the list is open, and its context is borrowed until it is closed.
            // No code on the stacks below runs before this function returns: see the invariants.
            quietly("`leave` of a context", || unsafe { &*context }.leave());
        }
    });
}

/// Puts the contexts of the regions from `first` up to `end` onto the thread, the outermost first.
#[cold]
pub(crate) fn enter_those(fiber: FiberPtr, first: *const CancelScope, end: *const CancelScope) {
    let _door = Door::open(fiber);
    cancel::within(fiber, &CancelScope::shield(), || enter_outermost_first(first, end));
}

/// The number of regions that a call of [`enter_outermost_first`] visits.
const AT_ONCE: usize = 16;

fn enter_outermost_first(first: *const CancelScope, end: *const CancelScope) {
    let (mut at, mut contexts) = (first, [None; AT_ONCE]);
    contexts.iter_mut().for_each(|context| *context = next(&mut at, end));
    if contexts[AT_ONCE - 1].is_some() {
        enter_outermost_first(at, end);
    }
    for context in contexts.into_iter().rev().flatten() {
        // SAFETY: like in `leave_those`.
        quietly("`enter` of a context", || unsafe { &*context }.enter());
    }
}

/// Returns whether one of the scopes from `first` up to `end` is a region with a context.
pub(crate) fn has_region(first: *const CancelScope, end: *const CancelScope) -> bool {
    let mut at = first;
    next(&mut at, end).is_some()
}

/// Returns the context of the first region from `at` on, and moves `at` behind it.
fn next(at: &mut *const CancelScope, end: *const CancelScope) -> Option<*const dyn Carried> {
    while !ptr::eq(*at, end) {
        // SAFETY: linked scopes are alive: each is unlinked before its frame is left. `end` is the
        // end of the list, or a scope in it.
        let scope = unsafe { &**at };
        let found = *at;
        *at = scope.outer.get();
        if scope.carries {
            // SAFETY: only `Region` makes a scope that carries, as the first of its fields, and
            // `Open` has linked it by a pointer to the whole record.
            return Some(unsafe { (*found.cast::<Region>()).context });
        }
    }
    None
}

/// Runs `f` like the code of a context: it must not wait, and a panic in it is reported as that of
/// `what`.
pub(crate) fn at_door(fiber: FiberPtr, what: &str, f: impl FnOnce()) {
    let _door = Door::open(fiber);
    cancel::within(fiber, &CancelScope::shield(), || quietly(what, f));
}

/// Calls `f`, the code of a context. A panic in it is reported as that of `what`. The unwind of
/// `exit` ends here, and is raised again by the wait of the fiber.
fn quietly(what: &str, f: impl FnOnce()) {
    match panic::catch_unwind(AssertUnwindSafe(f)) {
        Err(payload) if !payload::is_unwind(&*payload) => {
            report::report_lost(format_args!("{what} panicked"), payload);
        }
        _ => {}
    }
}

/// The mark of a fiber that calls `enter` and `leave` because it is about to leave its thread or
/// has come back, until this is dropped.
struct Door {
    fiber: FiberPtr,
    /// The signals of the wait that the fiber is in, and whether it is at a door already.
    kept: Signals,
    /// The deadline of that wait. The code may arm one for a wait of its own, before that panics.
    timer: TimerKey,
    /// Meanwhile no coroutine is current: none can be left.
    _frame: Option<AtDoor>,
}

impl Door {
    fn open(fiber: FiberPtr) -> Door {
        let kept = fiber.signals.get().only(Signals::OF_A_WAIT.with(Signals::AT_DOOR));
        fiber.signal(Signals::AT_DOOR);
        let timer = fiber.timer.replace(TimerKey::NONE);
        Door { fiber, kept, timer, _frame: frame::of_fiber(fiber).map(Frame::go_to_door) }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let others = self.fiber.signals.get().without(Signals::AT_DOOR);
        self.fiber.signals.set(others.with(self.kept));
        self.fiber.timer.set(self.timer);
    }
}
