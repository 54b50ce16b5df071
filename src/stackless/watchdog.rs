//! Running others until they are done or have used up their time: `run()` and [`Run`].
//!
//! ```text
//!   Run::run -> watcher (sched/watchers.rs) ............ nothing can run: returns None
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
use crate::fiber::header::FiberPtr;
use crate::sched::pause;
use crate::sched::scheduler::{Here, here};
use crate::sched::watchers;
use crate::stackless::record::Record;
use crate::stackless::state::state;
use crate::stackless::switching;
use crate::stackless::tasklet::Tasklet;

/// Runs the others until none can run any more (S-107).
///
/// The caller leaves the ring. It goes on when the ring is empty: the others have ended, are
/// blocked, or are paused. Those that wait for a timer or for another thread do not keep it either;
/// use [`Run::threadblock`] for that. With nobody to run it returns at once (S-108). Any tasklet may
/// call it, also while others are in it: the innermost goes on first (S-109).
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
        if here.sched.first_in_ring().is_none() && !self.threadblock {
            return None;
        }
        assert!(!switching::is_trapped(here), "switch_trap: `run` would switch");
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
    armed: Cell<Option<Armed>>,
    /// Counts the limits that were armed.
    serial: Cell<u64>,
    victim: RefCell<Option<Tasklet>>,
}

#[derive(Clone, Copy, Debug)]
struct Armed {
    serial: u64,
    /// The fiber that is in `run`.
    fiber: FiberPtr,
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

struct Disarm<'a> {
    watchdog: &'a Watchdog,
}

impl Drop for Disarm<'_> {
    fn drop(&mut self) {
        self.watchdog.armed.set(None);
        // If the call unwinds nobody takes its victim.
        drop(self.watchdog.victim.take());
    }
}

impl Watchdog {
    fn arm(&self, here: Here, run: Run) -> Option<Disarm<'_>> {
        let limit = run.limit.filter(|_| self.armed.get().is_none())?;
        let serial = self.serial.get() + 1;
        self.serial.set(serial);
        let now = Armed {
            serial,
            fiber: here.fiber,
            limit,
            soft: run.soft,
            total: run.total,
            used: 0,
            switches: here.sched.switches.get(),
            since: micros(here),
            reached: false,
        };
        self.armed.set(Some(now));
        Some(Disarm { watchdog: self })
    }

    pub(crate) fn is_armed(&self) -> bool {
        self.armed.get().is_some()
    }

    /// The running tasklet can be interrupted here.
    #[inline]
    #[track_caller]
    pub(crate) fn safe_point(&self, here: Here) {
        if let Some(armed) = self.armed.get() {
            self.count(here, armed);
        }
    }

    #[cold]
    #[track_caller]
    fn count(&self, here: Here, mut armed: Armed) {
        armed.count(here);
        self.armed.set(Some(armed));
        if !armed.reached || armed.soft {
            return;
        }
        if Record::of(here.fiber).atomic.get() {
            Record::of(here.fiber).pending_interrupt.set(armed.serial);
        } else {
            self.interrupt(here, armed);
        }
    }

    /// The running tasklet is atomic no more: an interrupt that was put off comes now (S-098).
    #[track_caller]
    pub(crate) fn deliver_pending(&self, here: Here, record: &Record) {
        let pending = record.pending_interrupt.replace(0);
        if let Some(armed) = self.armed.get().filter(|armed| armed.serial == pending) {
            self.interrupt(here, armed);
        }
    }

    /// Pauses the running tasklet, and gives it to the one that is in `run`.
    #[track_caller]
    fn interrupt(&self, here: Here, armed: Armed) {
        // Paused in a shield or while it unwinds it could not be killed either.
        let protected = cancel::is_shielded(&here.fiber) || std::thread::panicking();
        if protected || switching::is_trapped(here) || !pause::is_watching(armed.fiber) {
            return;
        }
        switching::announce(here, || Some(armed.fiber));
        if !pause::is_watching(armed.fiber) {
            return;
        }
        let victim = Tasklet::of(here.fiber);
        switching::leave_ring(here, || {
            let before = self.victim.replace(Some(victim));
            debug_assert!(before.is_none(), "a victim is taken before the next is made");
            here.sched.unpause_next(armed.fiber);
        });
    }

    /// The running tasklet lets others run, and has put them in order: after the limit of a soft
    /// `run` that goes first.
    pub(crate) fn soft_point(&self, here: Here) {
        if let Some(armed) = self.armed.get().filter(|armed| armed.soft && armed.reached)
            && pause::is_watching(armed.fiber)
            && armed.fiber != here.fiber
        {
            here.sched.unpause_next(armed.fiber);
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
}

/// The scheduler's clock.
fn micros(here: Here) -> u64 {
    here.sched.micros_at(here.sched.clock.now())
}
