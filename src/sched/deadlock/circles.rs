//! Waits for locks that never end although other fibers live on: when to look for them, and which fails.
//!
//! Where nothing can run any more a deadlock is found at once (`sched/deadlock/victim.rs`). But a listener, a
//! timer or another thread hides it there, though none of them will ever release a lock: those that hold
//! the locks wait for each other, or are of a `run` that is over. What each wait depends on is posted in
//! the registry, with that of other schedulers, and looked at as a whole.
//!
//! Invariants:
//! - A lock that is free costs nothing, and neither does one that is waited for shortly: only a thread
//!   that is about to sleep looks, or one that has been busy for long, and only if a wait for a lock has
//!   begun since it last did. With a real clock it waits for a while before it looks: most waits are over
//!   by then.
//! - A circle is closed by a wait that begins, by a reader that leaves others behind, or by the end of a
//!   `run`. Each of them makes the schedulers look that are concerned, until they find nothing.
//! - Only waits without a time limit count, and of fibers that nothing is about to end.
//! - A lock counts as held by the fiber that took it, wherever its guard is; by all fibers of its thread if
//!   the guard was said to be handed on.
//! - Where nothing can be unwound no wait for a lock can fail: it is said once that there are such.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::collections::timing_wheel::TimerKey;
use crate::fiber::cancel;
use crate::fiber::header::FiberPtr;
use crate::fiber::snapshot::Deadlock;
use crate::fiber::state::Signals;
use crate::sched::core::end;
use crate::sched::core::interrupt;
use crate::sched::core::scheduler::Scheduler;
use crate::sched::core::unwinding;
use crate::sched::deadlock::dump;
use crate::sched::deadlock::victim::REPORTED;
use crate::sched::shared::circles::PATIENCE;
use crate::sched::shared::outside::ListedWait;
use crate::sched::shared::owner::Owner;
use crate::sched::shared::registry::{self, Circle, Reading};
use crate::sched::time::clock::{Clock, RealClock};

/// A look takes no more than this part of the time, as far as that can be had with [`MOST_PATIENCE`]: the
/// thread may have been off its processor while it looked.
const SHARE: u32 = 50;

const MOST_PATIENCE: Duration = Duration::from_millis(500);

/// So many waits may be looked at for each jump of a clock that jumps.
const EACH_JUMP: usize = 64;

/// When to look.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Look {
    Now,
    /// In real time.
    At(Instant),
    NotYet,
}

impl Look {
    pub(crate) fn at(self) -> Option<Instant> {
        if let Look::At(at) = self { Some(at) } else { None }
    }
}

impl Scheduler {
    /// When to look for waits that never end. Nothing else may ever wake the thread again if this is its
    /// `last` chance.
    #[inline]
    pub(crate) fn next_look(&self, last: bool) -> Look {
        if self.circles.is_of_interest() { self.when_to_look(last) } else { Look::NotYet }
    }

    #[cold]
    fn when_to_look(&self, last: bool) -> Look {
        let circles = &self.circles;
        if circles.asked.load(Ordering::Relaxed) {
            circles.asked.store(false, Ordering::SeqCst);
            return Look::Now;
        }
        if self.time.clock.can_jump() {
            // In proportion to what has happened, and not by real time: each run takes the same course.
            circles.credit.set(circles.credit.get() + EACH_JUMP);
            let enough = last || self.outside.waits.borrow().len() <= circles.credit.get();
            return if enough { Look::Now } else { Look::NotYet };
        }
        let now = RealClock.now();
        let due = circles.due.get().unwrap_or(now + circles.patience.get());
        circles.due.set(Some(due));
        if due <= now { Look::Now } else { Look::At(due) }
    }

    /// Looks for waits for locks that never end, and makes one of them fail. Returns whether it has.
    #[cold]
    pub(crate) fn look_for_circles(&self, closed: bool) -> bool {
        let began = RealClock.now();
        let circles = &self.circles;
        let has_news = circles.began.replace(false);
        circles.due.set(None);
        circles.credit.set(0);
        let stamp = registry::stamp();
        let (fibers, readings, complete) = self.read_locks();
        circles.closed.set(closed && complete);
        let mut hopeless = false;
        let circle =
            registry::look(self.id, stamp, has_news, closed && complete, readings, |candidates| {
                let able = |&owner: &Owner| {
                    let (fiber, _) = fibers.iter().find(|(_, of)| *of == owner)?;
                    self.can_fail(*fiber).then_some((*fiber, owner))
                };
                let able: Vec<_> = candidates.iter().filter_map(able).collect();
                // There may be other circles; and what cannot fail now perhaps can when no fiber unwinds.
                hopeless = able.is_empty() && !unwinding::can_unwind(self);
                circles.began.set(!hopeless);
                let last = able.iter().find(|(fiber, _)| self.last_parked.get() == Some(*fiber));
                // Of the others the one that was spawned last: owners of one scheduler are in that order.
                last.or(able.last()).map(|&(_, owner)| owner)
            });
        let cost = RealClock.now().saturating_duration_since(began);
        circles.patience.set(cost.saturating_mul(SHARE).clamp(PATIENCE, MOST_PATIENCE));
        if hopeless && !circles.reported.replace(true) {
            end::say(format_args!(
                "deadlock: locks that fibers wait for are never released, and nothing can be unwound\n{}",
                dump::of(self, REPORTED)
            ));
        }
        let Some(circle) = circle else { return false };
        circles.closed.set(false);
        let victim = fibers.iter().find(|(_, owner)| *owner == circle.victim);
        let (victim, _) = *victim.expect("it was chosen of these");
        self.fail_in_circle(victim, circle);
        true
    }

    /// The waits for locks that count, with their fibers. The last says whether these are all.
    fn read_locks(&self) -> (Vec<(FiberPtr, Owner)>, Vec<Reading>, bool) {
        let (mut fibers, mut readings, mut complete) = (Vec::new(), Vec::new(), true);
        for (_, listed) in self.outside.waits.borrow().iter() {
            if !listed.wait().is_for_a_lock() {
                continue;
            }
            match self.read_lock(listed) {
                Some((fiber, reading)) => {
                    listed.posted.set(true);
                    fibers.push((fiber, reading.waiter));
                    readings.push(reading);
                }
                None => {
                    complete = false;
                    self.take_back(listed);
                }
            }
        }
        (fibers, readings, complete)
    }

    fn read_lock(&self, listed: &ListedWait) -> Option<(FiberPtr, Reading)> {
        let wait = listed.wait();
        let fiber = self.fiber_of(wait.ticket().key()).filter(|_| self.is_in(wait))?;
        let is_limited = fiber.timer.get() != TimerKey::NONE || cancel::has_timer(&fiber);
        if is_limited || interrupt::has_something_to_raise(fiber) {
            return None;
        }
        let needs = wait.needs()?;
        let reading = Reading {
            waiter: Owner::of_fiber(fiber.id()),
            name: end::describe(&fiber),
            groups: needs.groups(self.id),
        };
        Some((fiber, reading))
    }

    /// A wait that was posted counts no more.
    fn take_back(&self, listed: &ListedWait) {
        if listed.posted.replace(false) {
            if let Some(fiber) = self.fiber_of(listed.wait().ticket().key()) {
                registry::withdraw(Owner::of_fiber(fiber.id()));
            }
        }
    }

    #[cold]
    fn fail_in_circle(&self, victim: FiberPtr, circle: Circle) {
        let dump = dump::of(self, REPORTED);
        let report = Deadlock {
            by_end: false,
            others_live: true,
            victim: end::describe(&victim),
            dump,
            cycle: circle.names,
        };
        self.deadlocks.fail(victim.id(), self.switches.get(), report);
        victim.signal(Signals::DEADLOCK);
        // Before any other: none may unwind when it panics.
        self.make_ready_next(victim);
    }

    /// Fibers run again: more can happen than the release of a lock.
    #[inline]
    pub(crate) fn open_circles(&self) {
        if self.circles.closed.get() && self.ring(|ring| ring.stored()) != 0 {
            self.circles.closed.set(false);
            self.circles.wait_began();
            registry::open(self.id);
        }
    }
}
