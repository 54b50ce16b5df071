//! The functions that run other tasklets until they are done or have used up their time: `run()`
//! and [`Run`].
//!
//! ```text
//!   Run::run -> watcher (sched/tasklet/watchers.rs) .... nothing can run, after a poll of timers
//!            |                                           and other threads: returns `None`
//!            -> limit armed, if none is
//!   tick(), schedule(), channels, ... = safe points of the tasklets that run
//!      limit reached, hard: the current tasklet is paused, run() returns it
//!      limit reached, soft: at its next scheduling point run() returns `None`
//! ```
//!
//! Invariants:
//! - One limit is armed at a time, by the first active `run` that has one. It is disarmed by a
//!   destructor of that call.
//! - A tasklet is interrupted only at a safe point, and not while it is atomic or in a shield, nor
//!   while the thread unwinds or switches are trapped. It is then interrupted at its next safe
//!   point.

mod settings;

use std::cell::{Cell, RefCell};
use std::time::Duration;

use crate::fiber::cancel;
use crate::fiber::header::FiberRef;
use crate::fiber::state::State;
use crate::sched::core::pause;
use crate::sched::core::pending_throw;
use crate::sched::core::scheduler::{CurrentFiber, current_fiber};
use crate::sched::tasklet::watchers;
use crate::stackless::record::Record;
use crate::stackless::state::state;
use crate::stackless::switching;
use crate::stackless::tasklet::Tasklet;

/// Runs the other tasklets until none can run any more.
///
/// The caller leaves the run ring. It continues when the ring is empty: the others have ended, are
/// blocked, or are paused. Tasklets that wait for a timer or for another thread do not delay it
/// either; use [`Run::threadblock`] for that. If there is nothing to run, the call polls timers and
/// other threads, which may make tasklets ready, and returns. So a loop around it serves them. On a
/// virtual clock, whose time passes only while all fibers wait, timers need `threadblock`. Any
/// tasklet may call `run`, even while others are in it: the innermost call continues first.
///
/// # Panics
///
/// Panics with the payload of a tasklet that ended with an error. The other tasklets stay in the
/// run ring, and another `run` runs them. Panics outside of a fiber, and where a switch is
/// [trapped](crate::stackless::switch_trap).
///
/// # Examples
///
/// ```
/// use fibra::stackless;
///
/// fibra::run(|| {
///     for name in ["A", "B"] {
///         stackless::spawn(move || {
///             println!("{name}, first");
///             stackless::schedule();
///             println!("{name}, second");
///         });
///     }
///     stackless::run(); // A, first; B, first; A, second; B, second
/// });
/// ```
#[track_caller]
pub fn run() {
    Run::new().run();
}

/// The settings of a `run` with a limit.
///
/// The limit is checked where the tasklets that run come to a *safe point*: [`tick`], and each call
/// of this module that may switch. A tasklet that computes without such calls is not interrupted.
/// The limit of the first active `Run` with a limit applies; the limits of `Run`s inside that one
/// are ignored.
///
/// # Examples
///
/// ```
/// use fibra::stackless::{self, Run};
///
/// fibra::run(|| {
///     stackless::spawn(|| loop {
///         stackless::tick();
///     });
///     let runaway = Run::new().ticks(1000).run().unwrap();
///     runaway.kill().unwrap();
/// });
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "it does nothing until it runs"]
pub struct Run {
    limit: Option<Limit>,
    soft: bool,
    total: bool,
    threadblock: bool,
}

#[derive(Clone, Copy, Debug)]
enum Limit {
    Ticks(u64),
    Time(Duration),
}

impl Run {
    /// Runs the other tasklets. Returns the tasklet that was interrupted, which is paused: the
    /// caller inserts it again, kills it, or drops it, which kills it.
    ///
    /// # Panics
    ///
    /// Panics like [`run`].
    #[track_caller]
    #[allow(clippy::must_use_candidate, reason = "none is the usual result")]
    pub fn run(self) -> Option<Tasklet> {
        let current = current_fiber();
        let time_slice = &state(&current.sched).time_slice;
        time_slice.safe_point(current);
        if switching::is_trapped(current) {
            let switches = !current.sched.is_ring_empty() || self.threadblock;
            assert!(!switches, "switch_trap: `run` would switch");
            pending_throw::raise_pending(current);
            return None;
        }
        // This is done even with nothing to run: the run loop polls timers and other threads, and a
        // payload that was thrown into the caller is raised.
        switching::announce(current, || current.sched.first_in_ring());
        let armed = time_slice.arm(current, self);
        let watched = watchers::watch(current, self.threadblock, || time_slice.soft_point(current));
        watched.unwrap_or_else(|interrupt| interrupt.into_panic());
        armed.and_then(|armed| armed.time_slice.victim.take())
    }
}

/// Marks a safe point: counts a tick, and lets a limit interrupt the caller.
///
/// Use it in computations that do not wait. Without a limit it is cheap, and does nothing.
///
/// # Panics
///
/// Panics outside of a fiber.
///
/// # Examples
///
/// ```
/// use fibra::stackless::{self, Run};
///
/// fibra::run(|| {
///     stackless::spawn(|| loop {
///         // A piece of a long computation.
///         stackless::tick();
///     });
///     assert!(Run::new().ticks(100).run().is_some());
/// });
/// ```
#[track_caller]
pub fn tick() {
    let current = current_fiber();
    state(&current.sched).time_slice.safe_point(current);
}

/// The run limit of a scheduler.
#[derive(Debug, Default)]
pub(crate) struct TimeSlice {
    armed: RefCell<Option<Armed>>,
    /// The number of limits that were armed.
    serial: Cell<u64>,
    /// The tasklet that was interrupted, until `run` takes it.
    victim: RefCell<Option<Tasklet>>,
}

#[derive(Debug)]
struct Armed {
    serial: u64,
    /// The fiber that is in `run`.
    fiber: FiberRef,
    limit: Limit,
    soft: bool,
    total: bool,
    /// The number of safe points in this slice, and the switch count and the time at which it
    /// began.
    used: u64,
    switches: u64,
    since: u64,
    /// Whether the limit was reached. In soft mode this stays set.
    reached: bool,
}

/// A limit that was reached, and the fiber that gets the tasklet which it interrupts. It is valid
/// as long as the same limit [`holds`](TimeSlice::holds): the schedule callback may wait, and that
/// `run` may end meanwhile.
struct Reached {
    serial: u64,
    fiber: FiberRef,
}

struct Disarm<'a> {
    time_slice: &'a TimeSlice,
}

impl Drop for Disarm<'_> {
    fn drop(&mut self) {
        drop(self.time_slice.armed.take());
        // If the call unwinds, nothing else takes its victim.
        drop(self.time_slice.victim.take());
    }
}

impl TimeSlice {
    fn arm(&self, current: CurrentFiber, run: Run) -> Option<Disarm<'_>> {
        let limit = run.limit.filter(|_| !self.has_owner())?;
        let serial = self.serial.get() + 1;
        self.serial.set(serial);
        let now = Armed {
            serial,
            fiber: current.fiber.to_ref(),
            limit,
            soft: run.soft,
            total: run.total,
            used: 0,
            switches: current.sched.switches.get(),
            since: micros(current),
            reached: false,
        };
        drop(self.armed.replace(Some(now)));
        Some(Disarm { time_slice: self })
    }

    pub(crate) fn is_armed(&self) -> bool {
        self.armed.borrow().is_some()
    }

    /// Returns whether a limit is armed whose `run` may still return. (If its fiber was abandoned,
    /// it never does.)
    fn has_owner(&self) -> bool {
        let armed = self.armed.borrow();
        armed.as_ref().is_some_and(|armed| armed.fiber.state.get() != State::Abandoned)
    }

    /// Returns whether `limit` is still armed, and its fiber waits in that `run`.
    fn holds(&self, limit: &Reached) -> bool {
        let is_armed = self.armed.borrow().as_ref().is_some_and(|now| now.serial == limit.serial);
        is_armed && pause::is_watching(limit.fiber.ptr())
    }

    /// Marks a point at which the current tasklet can be interrupted.
    #[inline]
    #[track_caller]
    pub(crate) fn safe_point(&self, current: CurrentFiber) {
        if self.is_armed() {
            self.count(current);
        }
    }

    #[cold]
    #[track_caller]
    fn count(&self, current: CurrentFiber) {
        let Some(limit) = self.count_safe_point(current) else { return };
        // The record is not kept during the interrupt: the handles of the victim determine whether
        // it lives.
        let record = Record::of(current.fiber.to_ref());
        if record.atomic.get() {
            record.pending_interrupt.set(limit.serial);
            return;
        }
        drop(record);
        self.interrupt(current, &limit);
    }

    /// Counts a safe point. Returns the limit, if it is a hard one and was reached.
    fn count_safe_point(&self, current: CurrentFiber) -> Option<Reached> {
        let mut armed = self.armed.borrow_mut();
        let armed = armed.as_mut()?;
        armed.count(current);
        (armed.reached && !armed.soft).then(|| armed.reached())
    }

    /// Interrupts the current tasklet, which is no longer atomic, if an interrupt was put off.
    #[track_caller]
    pub(crate) fn deliver_pending(&self, current: CurrentFiber, record: &Record) {
        let pending = record.pending_interrupt.replace(0);
        let limit = self.armed.borrow().as_ref().map(Armed::reached);
        if let Some(limit) = limit.filter(|limit| limit.serial == pending) {
            self.interrupt(current, &limit);
        }
    }

    /// Pauses the current tasklet, and passes it to the fiber that is in `run`.
    #[track_caller]
    fn interrupt(&self, current: CurrentFiber, limit: &Reached) {
        // If it were paused in a shield, or while it unwinds, it could not be killed either.
        let protected = cancel::is_shielded(&current.fiber) || std::thread::panicking();
        if protected || switching::is_trapped(current) || !self.holds(limit) {
            return;
        }
        switching::announce(current, || Some(limit.fiber.clone()));
        // The callback may have waited: that `run` may be over, and its fiber in another one.
        if !self.holds(limit) {
            return;
        }
        let victim = Tasklet::current(current);
        switching::leave_ring(current, || {
            let before = self.victim.replace(Some(victim));
            debug_assert!(before.is_none(), "a victim is taken before the next is made");
            current.sched.unpause_next(limit.fiber.ptr());
        });
    }

    /// Puts the fiber of a soft `run` first in the run ring, if its limit was reached. The current
    /// tasklet lets others run, and has put them in order before.
    pub(crate) fn soft_point(&self, current: CurrentFiber) {
        let armed = self.armed.borrow();
        if let Some(armed) = armed.as_ref().filter(|armed| armed.soft && armed.reached) {
            if pause::is_watching(armed.fiber.ptr()) && armed.fiber.ptr() != current.fiber {
                current.sched.unpause_next(armed.fiber.ptr());
            }
        }
    }
}

impl Armed {
    /// Counts a safe point of the current tasklet, and checks whether the limit is reached.
    fn count(&mut self, current: CurrentFiber) {
        let switches = current.sched.switches.get();
        if !self.total && self.switches != switches {
            (self.used, self.switches, self.since) = (0, switches, micros(current));
        }
        self.used += 1;
        let over = match self.limit {
            Limit::Ticks(n) => n <= self.used,
            Limit::Time(limit) => limit <= Duration::from_micros(micros(current) - self.since),
        };
        self.reached = over || self.soft && self.reached;
    }

    fn reached(&self) -> Reached {
        Reached { serial: self.serial, fiber: self.fiber.clone() }
    }
}

/// Returns the time of the scheduler's clock, in microseconds.
fn micros(current: CurrentFiber) -> u64 {
    current.sched.micros_at(current.sched.time.clock.now())
}
