//! Waits for locks that never end although other fibers live on: when to look for them, and which
//! of them fails.
//!
//! If nothing can ever run again, the deadlock is found immediately (`sched/deadlock/victim.rs`).
//! A listener, a timer or another thread hides a deadlock from that check, although none of them
//! will ever release a lock: the holders of the locks wait for each other, or belong to a `run`
//! that is over. So each scheduler posts in the registry the owners that each of its waits depends
//! on, and the waits of all schedulers are searched together.
//!
//! Invariants:
//! - A free lock costs nothing, and neither does a short wait for one: a thread looks only when it
//!   is about to sleep or has been busy for long, and only if a wait for a lock has begun since its
//!   last look. With a real clock it first waits for a while, because most waits are over by then.
//! - A circle is closed by a wait that begins, by a reader that leaves while other readers stay, or
//!   by the end of a `run`. Each of these makes the schedulers concerned look, until they find
//!   nothing.
//! - A wait counts only if it has no time limit and its fiber has nothing to raise there.
//! - A lock counts as held by the fiber that took it, even if its guard is elsewhere; or by all
//!   fibers of its thread, if the code has declared that the guard is handed on.
//! - If no fiber can be unwound, no wait for a lock can fail. Then a report that such waits exist
//!   is printed once.

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

/// Looks take at most one part in this many of the time, unless that needs more patience than
/// [`MOST_PATIENCE`]: the cost of one look may include time in which the thread was descheduled.
const SHARE: u32 = 50;

const MOST_PATIENCE: Duration = Duration::from_millis(500);

/// The number of waits that a look may read per jump of a clock that jumps.
const EACH_JUMP: usize = 64;

/// The time of the next look.
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
    /// Returns when to look for waits that never end. `last` means that this may be the last chance
    /// to look, because nothing else may ever wake the thread again.
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
            // In proportion to the number of jumps and not by real time, so that every run of the
            // program interleaves the same way.
            circles.credit.set(circles.credit.get() + EACH_JUMP);
            let enough = last || self.outside.waits.borrow().len() <= circles.credit.get();
            return if enough { Look::Now } else { Look::NotYet };
        }
        let now = RealClock.now();
        let due = circles.due.get().unwrap_or(now + circles.patience.get());
        circles.due.set(Some(due));
        if due <= now { Look::Now } else { Look::At(due) }
    }

    /// Looks for waits for locks that never end, and makes one of them fail. Returns whether it
    /// found one that can fail.
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
                // Another look must follow: there may be other circles, and a wait that cannot fail
                // now can perhaps fail once no fiber unwinds.
                hopeless = able.is_empty() && !unwinding::can_unwind(self);
                circles.began.set(!hopeless);
                let last = able.iter().find(|(fiber, _)| self.last_parked.get() == Some(*fiber));
                // Of the others, the fiber spawned last: the owners of one scheduler are in the
                // order in which their fibers were spawned.
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

    /// Reads the waits for locks that count. Returns their fibers, their readings, and whether
    /// these are all the waits for locks.
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

    /// Withdraws a posted wait that no longer counts from the registry.
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
        // It runs before all others, so that no other fiber begins to unwind before it panics.
        self.make_ready_next(victim);
    }

    /// Notes in the registry that this scheduler is no longer closed, if fibers can run again.
    #[inline]
    pub(crate) fn open_circles(&self) {
        if self.circles.closed.get() && self.ring(|ring| ring.stored()) != 0 {
            self.circles.closed.set(false);
            self.circles.wait_began();
            registry::open(self.id);
        }
    }
}
