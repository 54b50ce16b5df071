//! Running others until they are done or have used up their time: `run()` and [`Run`].
//!
//! ```text
//!   Run::run -> watcher (sched/watchers.rs) ............ nothing can run, after a look at timers
//!            |                                           and other threads: returns None
//!            -> limit armed, if none is (S-128)
//!   tick(), schedule(), channels, ... = safe points of those that run
//!      limit reached, hard: the running one is paused, run() returns it
//!      limit reached, soft: at its next scheduling point run() returns None
//! ```
//!
//! Invariants:
//! - One limit is armed at a time, by the first active `run` that has one. It is disarmed by a
//!   destructor of that call.
//! - A tasklet is interrupted at a safe point only, and not while it is atomic or in a shield, nor
//!   while the thread unwinds or switches are trapped; then it is at its next safe point (S-130).

use std::cell::{Cell, RefCell};
use std::time::Duration;

use crate::fiber::cancel;
use crate::fiber::header::FiberRef;
use crate::fiber::state::State;
use crate::sched::pause;
use crate::sched::scheduler::{Here, here};
use crate::sched::throw;
use crate::sched::watchers;
use crate::stackless::record::Record;
use crate::stackless::state::state;
use crate::stackless::switching;
use crate::stackless::tasklet::Tasklet;

/// Runs the others until none can run any more (S-107).
///
/// The caller leaves the ring. It goes on when the ring is empty: the others have ended, are
/// blocked, or are paused. Those that wait for a timer or for another thread do not keep it either;
/// use [`Run::threadblock`] for that. With nothing to run it looks at timers and other threads, which
/// may bring something, and returns. So a loop around it sees them; on a virtual clock, whose
/// time passes only while all wait, it takes `threadblock` to see timers. Any tasklet may call it, also
/// while others are in it: the innermost goes on first.
///
/// # Panics
///
/// Raises the payload of a tasklet that ended with an error (S-111): the others stay in the ring,
/// and another `run` runs them. Panics outside of a fiber, and where a switch is
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
///             println!("{name}1");
///             stackless::schedule();
///             println!("{name}2");
///         });
///     }
///     stackless::run(); // A1 B1 A2 B2
/// });
/// ```
#[track_caller]
pub fn run() {
    Run::new().run();
}

/// A `run` with a limit (S-123).
///
/// The limit is looked at where the tasklets that run come to a *safe point*: [`tick`], and each
/// call of this module that may switch. One that computes without such calls is not interrupted.
/// The first active `Run` with a limit is the one that holds; those of deeper ones are ignored
/// (S-128).
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
    /// Without limit, as [`run`].
    pub fn new() -> Run {
        Run::default()
    }

    /// Interrupts a tasklet that runs for longer than `timeout`, by the scheduler's clock.
    ///
    /// The time of a tasklet is counted from the first safe point that it comes to. Zero is no
    /// limit.
    pub fn timeout(self, timeout: Duration) -> Run {
        Run { limit: (!timeout.is_zero()).then_some(Limit::Time(timeout)), ..self }
    }

    /// Interrupts a tasklet at the `n`th safe point that it comes to without a switch. Zero is no
    /// limit.
    pub fn ticks(self, n: u64) -> Run {
        Run { limit: (n != 0).then_some(Limit::Ticks(n)), ..self }
    }

    /// Does not interrupt: lets the tasklet run on to the next place where it would let others run,
    /// and returns none then. Who would have run stays the first in the ring (S-125).
    pub fn soft(self) -> Run {
        Run { soft: true, ..self }
    }

    /// Counts the limit for the whole call, and not for each tasklet between two switches (S-127).
    pub fn total(self) -> Run {
        Run { total: true, ..self }
    }

    /// Waits for timers and other threads, too: it returns when nothing can ever run any more, or
    /// nothing without the caller (S-132).
    pub fn threadblock(self) -> Run {
        Run { threadblock: true, ..self }
    }

    /// Runs the others. Returns the tasklet that was interrupted, which is paused: the caller
    /// inserts it again, kills it, or drops it, which kills it.
    ///
    /// # Panics
    ///
    /// As [`run`].
    #[track_caller]
    #[allow(clippy::must_use_candidate, reason = "none is the usual result")]
    pub fn run(self) -> Option<Tasklet> {
        let here = here();
        let watchdog = &state(&here.sched).watchdog;
        watchdog.safe_point(here);
        if switching::is_trapped(here) {
            let switches = !here.sched.is_ring_empty() || self.threadblock;
            assert!(!switches, "switch_trap: `run` would switch");
            throw::meet_bomb(here);
            return None;
        }
        // Also with nothing to run: the run loop looks at the outside, and what was thrown is raised.
        switching::announce(here, || here.sched.first_in_ring());
        let armed = watchdog.arm(here, self);
        let watched = watchers::watch(here, self.threadblock, || watchdog.soft_point(here));
        watched.unwrap_or_else(|interrupt| interrupt.into_panic());
        armed.and_then(|armed| armed.watchdog.victim.take())
    }
}

/// A safe point: counts a tick, and lets a limit interrupt the caller (S-123).
///
/// For computations that do not wait. Without a limit it is cheap, and does nothing.
///
/// # Panics
///
/// Panics outside of a fiber.
#[track_caller]
pub fn tick() {
    let here = here();
    state(&here.sched).watchdog.safe_point(here);
}

/// The limit of a scheduler.
#[derive(Debug, Default)]
pub(crate) struct Watchdog {
    armed: RefCell<Option<Armed>>,
    /// Counts the limits that were armed.
    serial: Cell<u64>,
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
    /// Safe points in this slice, and the switch and time with which it began.
    used: u64,
    switches: u64,
    since: u64,
    /// Reached, in soft mode: once reached it stays so.
    reached: bool,
}

/// A limit that was reached, and the fiber that gets what it interrupts. Good for as long as the same
/// limit [`holds`](Watchdog::holds): the schedule callback may wait, and that `run` end meanwhile.
struct Reached {
    serial: u64,
    fiber: FiberRef,
}

struct Disarm<'a> {
    watchdog: &'a Watchdog,
}

impl Drop for Disarm<'_> {
    fn drop(&mut self) {
        drop(self.watchdog.armed.take());
        // If the call unwinds nobody takes its victim.
        drop(self.watchdog.victim.take());
    }
}

impl Watchdog {
    fn arm(&self, here: Here, run: Run) -> Option<Disarm<'_>> {
        let limit = run.limit.filter(|_| !self.has_owner())?;
        let serial = self.serial.get() + 1;
        self.serial.set(serial);
        let now = Armed {
            serial,
            fiber: here.fiber.to_ref(),
            limit,
            soft: run.soft,
            total: run.total,
            used: 0,
            switches: here.sched.switches.get(),
            since: micros(here),
            reached: false,
        };
        drop(self.armed.replace(Some(now)));
        Some(Disarm { watchdog: self })
    }

    pub(crate) fn is_armed(&self) -> bool {
        self.armed.borrow().is_some()
    }

    /// Whether a limit is armed whose `run` may still return. (One that was retired in it never does.)
    fn has_owner(&self) -> bool {
        let armed = self.armed.borrow();
        armed.as_ref().is_some_and(|armed| armed.fiber.state.get() != State::Retired)
    }

    /// Whether `limit` is armed still, and its fiber waits in that `run`.
    fn holds(&self, limit: &Reached) -> bool {
        let is_armed = self.armed.borrow().as_ref().is_some_and(|now| now.serial == limit.serial);
        is_armed && pause::is_watching(limit.fiber.ptr())
    }

    /// The running tasklet can be interrupted here.
    #[inline]
    #[track_caller]
    pub(crate) fn safe_point(&self, here: Here) {
        if self.is_armed() {
            self.count(here);
        }
    }

    #[cold]
    #[track_caller]
    fn count(&self, here: Here) {
        let Some(limit) = self.count_safe_point(here) else { return };
        // Not kept while it is interrupted: the handles of the victim decide whether it lives.
        let record = Record::of(here.fiber.to_ref());
        if record.atomic.get() {
            record.pending_interrupt.set(limit.serial);
            return;
        }
        drop(record);
        self.interrupt(here, &limit);
    }

    /// Counts a safe point. Returns the limit, if it is one that interrupts and was reached.
    fn count_safe_point(&self, here: Here) -> Option<Reached> {
        let mut armed = self.armed.borrow_mut();
        let armed = armed.as_mut()?;
        armed.count(here);
        (armed.reached && !armed.soft).then(|| armed.reached())
    }

    /// The running tasklet is atomic no more: an interrupt that was put off comes now (S-098).
    #[track_caller]
    pub(crate) fn deliver_pending(&self, here: Here, record: &Record) {
        let pending = record.pending_interrupt.replace(0);
        let limit = self.armed.borrow().as_ref().map(Armed::reached);
        if let Some(limit) = limit.filter(|limit| limit.serial == pending) {
            self.interrupt(here, &limit);
        }
    }

    /// Pauses the running tasklet, and gives it to the one that is in `run`.
    #[track_caller]
    fn interrupt(&self, here: Here, limit: &Reached) {
        // Paused in a shield or while it unwinds it could not be killed either.
        let protected = cancel::is_shielded(&here.fiber) || std::thread::panicking();
        if protected || switching::is_trapped(here) || !self.holds(limit) {
            return;
        }
        switching::announce(here, || Some(limit.fiber.clone()));
        // The callback may have waited: that `run` may be over, and its fiber in another one.
        if !self.holds(limit) {
            return;
        }
        let victim = Tasklet::current(here);
        switching::leave_ring(here, || {
            let before = self.victim.replace(Some(victim));
            debug_assert!(before.is_none(), "a victim is taken before the next is made");
            here.sched.unpause_next(limit.fiber.ptr());
        });
    }

    /// The running tasklet lets others run, and has put them in order: after the limit of a soft
    /// `run` that goes first.
    pub(crate) fn soft_point(&self, here: Here) {
        let armed = self.armed.borrow();
        if let Some(armed) = armed.as_ref().filter(|armed| armed.soft && armed.reached) {
            if pause::is_watching(armed.fiber.ptr()) && armed.fiber.ptr() != here.fiber {
                here.sched.unpause_next(armed.fiber.ptr());
            }
        }
    }
}

impl Armed {
    /// Counts a safe point of the running tasklet, and sees whether that was the last.
    fn count(&mut self, here: Here) {
        let switches = here.sched.switches.get();
        if !self.total && self.switches != switches {
            (self.used, self.switches, self.since) = (0, switches, micros(here));
        }
        self.used += 1;
        let over = match self.limit {
            Limit::Ticks(n) => n <= self.used,
            Limit::Time(limit) => limit <= Duration::from_micros(micros(here) - self.since),
        };
        self.reached = over || self.soft && self.reached;
    }

    fn reached(&self) -> Reached {
        Reached { serial: self.serial, fiber: self.fiber.clone() }
    }
}

/// The scheduler's clock.
fn micros(here: Here) -> u64 {
    here.sched.micros_at(here.sched.clock.now())
}
