//! What the run loop does between two batches: messages, deadlines, events, and sleeping.
//!
//! ```text
//!   +-> batch: pop, look ahead, resume   (at most LONGEST_BATCH times)
//!   |     |
//!   |   turn: mail from other threads, deadlines, events
//!   |     |
//!   |   anything ready? -- yes --+
//!   |     no                     |
//!   |   a deadline? wait for it, or jump there
//!   |   something outside that may wake a fiber? wait
//!   |   else: deadlock           |
//!   +-----+----------------------+
//! ```
//!
//! Invariants:
//! - No user code runs here.
//! - The loop returns when the main fiber has ended, which it does last.
//!
//! It may use `time`, `core`, `tasklet`, `futures`, `threads` and `deadlock`.

use std::thread;
use std::time::Instant;

use crate::collections::timing_wheel::TimerKey;
use crate::fiber::header::FiberPtr;
use crate::fiber::state::Signals;
use crate::sched::core::interrupt;
use crate::sched::core::scheduler::Scheduler;
use crate::sched::deadlock::circles::Look;
use crate::sched::time::alarm::{Region, Rings};
use crate::sched::time::clock::{Clock, RealClock};

impl Scheduler {
    /// Runs fibers until the main fiber has ended.
    pub(crate) fn run_until_done(&self) {
        let mut turns = 0u32;
        loop {
            self.batch();
            // Before anything else happens: what an event would make now would never run.
            if self.main_ended.get() {
                return;
            }
            turns = turns.wrapping_add(1);
            self.turn(turns);
        }
    }

    /// Looks at the outside, and waits for it if no fiber can run.
    fn turn(&self, turns: u32) {
        self.heed_kill_request();
        if !self.mailbox.inbox.is_empty() {
            self.open_mail();
        }
        if self.unwinds.kill_put_off.get() && !thread::panicking() {
            self.wake_put_off();
        }
        let timers = !self.time.is_empty();
        // The clock costs as much as three switches: it is read when a deadline may have passed,
        // and once in a while so that dumps can tell how long a fiber has been waiting.
        if timers || turns % 16 == 0 {
            self.fit_batch();
        }
        if timers {
            self.fire_timers();
        }
        // Who waits for events sees those that are there already.
        if self.ring(|ring| ring.stored()) != 0 {
            self.idle.poll();
            if turns % 16 == 0 && self.circles.is_of_interest() {
                self.look_while_busy();
            }
        } else {
            self.wait_for_the_outside();
        }
        self.open_circles();
    }

    /// A thread that never sleeps looks for locks that are never released all the same.
    #[cold]
    fn look_while_busy(&self) {
        if let Look::Now = self.next_look(false) {
            self.look_for_circles(false);
        }
    }

    #[cold]
    #[inline(never)]
    fn wait_for_the_outside(&self) {
        if self.has_watchers() {
            self.idle.poll();
            if self.ring(|ring| ring.stored()) != 0 || self.wake_watcher() {
                return;
            }
        }
        if !self.mailbox.inbox.announce_sleep() {
            return;
        }
        match self.time.next_look() {
            None if self.outside.external_waits.get() == 0 && !self.outsiders_may_wake() => {
                self.break_deadlock();
            }
            until => self.sleep_until(until),
        }
        self.mailbox.inbox.announce_awake();
        self.refresh_now();
    }

    /// Sleeps until something happens, at the latest at `until`. If a lock that a fiber waits for turns
    /// out to be held forever, that happens.
    fn sleep_until(&self, until: Option<Instant>) {
        let look = self.next_look(until.is_none());
        if let Look::Now = look {
            let closed = until.is_none()
                && self.outside.external_waits.get() == 0
                && !self.outsiders_may_wake_without_locks();
            if self.look_for_circles(closed) {
                return;
            }
        }
        match (until, look.at()) {
            (Some(at), _) if self.time.clock.can_jump() => self.jump_or_wait(at),
            (Some(at), Some(look)) => self.idle.wait(Some(at.min(look))),
            (at, look) => self.idle.wait(at.or(look)),
        }
    }

    /// Moves a clock that can jump on to `at`. While a fiber waits for what happens in real time, or for
    /// a lock that another thread holds, the clock goes on as real time does: else each time limit
    /// around such a wait would be over at once.
    fn jump_or_wait(&self, at: Instant) {
        if self.outside.external_waits.get() == 0 && !self.is_kept_from_elsewhere() {
            return self.time.clock.jump_to(at);
        }
        let (now, began) = (self.time.clock.now(), RealClock.now());
        self.idle.wait(began.checked_add(at.saturating_duration_since(now)));
        let waited = RealClock.now().saturating_duration_since(began);
        self.time.clock.jump_to(at.min(now + waited));
    }

    /// Rings all timers whose time has come.
    fn fire_timers(&self) {
        self.time.fire(|alarm| match alarm.rings() {
            Rings::Wait(fiber) => self.end_wait(fiber),
            Rings::Task(index) => self.ring_task(index),
            Rings::Region(region) => self.end_region(region),
        });
    }

    /// One that is in the ring already is told as well: it may have been woken for nothing, and its
    /// wait has no other deadline to be woken by. So is one that was paused, which goes on when it is
    /// put back, and not now.
    fn end_wait(&self, fiber: FiberPtr) {
        fiber.timer.set(TimerKey::NONE);
        fiber.signal(Signals::TIMEOUT);
        self.make_ready(fiber);
    }

    /// The fiber is woken if the end of the region changes anything where it waits: not if that is
    /// in a shield, nor if the region is on the stack of a generator that is suspended.
    fn end_region(&self, region: &Region) {
        let fiber = region.time_is_up();
        if interrupt::has_something_to_raise(fiber) {
            self.wake_to_unwind(fiber);
        }
    }
}
