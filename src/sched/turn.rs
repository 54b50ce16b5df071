//! The turns of the run loop, between two batches: messages, deadlines, events, and sleeping.
//!
//! ```text
//!   +-> batch: pop, look ahead, resume   (at most LONGEST_BATCH times)
//!   |     |  \__ a few times per batch: is there mail? its fibers run next
//!   |   turn: mail from other threads, deadlines, events
//!   |     |
//!   |   anything ready? -- yes --+
//!   |     no                     |
//!   |   a deadline? wait for it, or jump there
//!   |   may something outside wake a fiber? wait for it
//!   |   else: deadlock           |
//!   +-----+----------------------+
//! ```
//!
//! Invariants:
//! - No user code runs here.
//! - The loop returns when the main fiber has ended. The main fiber is the last fiber to end.
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
            // Checked before the turn: a fiber that an event made ready now would never run.
            if self.main_ended.get() {
                return;
            }
            if self.opened_mail_early() {
                continue;
            }
            turns = turns.wrapping_add(1);
            self.turn(turns);
        }
    }

    /// Opens the mail because of which the batch has ended early. Returns whether it has.
    #[inline(always)]
    pub(super) fn opened_mail_early(&self) -> bool {
        let early = !self.is_batch_over() && self.ring(|ring| ring.stored()) != 0;
        if early {
            self.spin.note_arrival();
            self.open_mail_within_a_batch();
        }
        early
    }

    /// Polls messages, timers and events once, and sleeps until one of them comes if no fiber can
    /// run.
    fn turn(&self, turns: u32) {
        if !self.poll_all(turns) {
            self.wait_for_the_outside();
        }
        self.open_circles();
    }

    /// Performs a turn without sleeping. Returns whether a fiber can run.
    #[cfg(feature = "tokio")]
    pub(super) fn turn_without_sleep(&self, turns: u32) -> bool {
        let is_ready = self.poll_all(turns) || self.wakes_a_watcher() || self.trim_before_sleep();
        self.open_circles();
        is_ready
    }

    /// Polls messages, timers and events once. Returns whether a fiber can run.
    #[inline(always)]
    fn poll_all(&self, turns: u32) -> bool {
        self.heed_kill_request();
        if !self.mailbox.inbox.is_empty() {
            self.spin.note_arrival();
            self.open_mail();
        }
        if self.unwinds.kill_put_off.get() && !thread::panicking() {
            self.wake_put_off();
        }
        let timers = !self.time.is_empty();
        // Reading the clock costs as much as three switches. It is read when a deadline may have
        // passed, and every 16 turns so that dumps can report how long each fiber has waited.
        if timers || turns % 16 == 0 {
            self.fit_batch();
            self.trim_between_batches();
        }
        if timers {
            self.fire_timers();
        }
        self.see_to_calls();
        if self.ring(|ring| ring.stored()) == 0 {
            return false;
        }
        // While fibers can run, the poll only collects events that have already occurred.
        self.start_work(false);
        self.idle.poll();
        if turns % 16 == 0 && self.circles.is_of_interest() {
            self.look_while_busy();
        }
        true
    }

    /// Looks for locks that are never released, on a thread that is too busy to sleep.
    #[cold]
    fn look_while_busy(&self) {
        if let Look::Now = self.next_look(false) {
            self.look_for_circles(false);
        }
    }

    #[cold]
    #[inline(never)]
    fn wait_for_the_outside(&self) {
        if self.wakes_a_watcher()
            || self.trim_before_sleep()
            || self.spin()
            || !self.mailbox.inbox.announce_sleep()
        {
            return;
        }
        self.watch_sleeps();
        if self.may_sleep_beside_work() {
            match self.time.next_look() {
                None if self.outside.external_waits.get() == 0
                    && !self.work_may_come()
                    && !self.outsiders_may_wake() =>
                {
                    self.break_deadlock();
                }
                until => self.sleep_beside_work(until),
            }
            if let Some(work) = self.work.get() {
                work.is_awake();
            }
        }
        self.watch_wakes();
        self.mailbox.inbox.announce_awake();
        self.refresh_now();
    }

    /// Wakes a fiber that waits until no other can run, if there is one and no event makes another
    /// fiber ready. Returns whether a fiber is ready.
    fn wakes_a_watcher(&self) -> bool {
        if !self.has_watchers() {
            return false;
        }
        self.idle.poll();
        self.ring(|ring| ring.stored()) != 0 || self.wake_watcher()
    }

    /// Looks for mail for a short time, if mail came lately. Returns whether there is some, or an
    /// event has made a fiber ready.
    fn spin(&self) -> bool {
        if self.time.clock.can_jump() {
            return false;
        }
        let poll = || {
            self.idle.poll();
            self.ring(|ring| ring.stored()) != 0
        };
        let searches = self.begin_search();
        let has_work = || !self.mailbox.inbox.is_empty() || searches && self.work_exists();
        let found = self.spin.look(self.time.next_look(), has_work, poll);
        if searches {
            let is_called = || !self.mailbox.inbox.is_empty();
            let is_ready = || self.ring(|ring| ring.stored()) != 0;
            // If nothing else has come, the next batch begins with the job.
            self.end_search(found && !is_called() && !is_ready());
        }
        if found {
            // The time that has passed is not that of a batch.
            self.refresh_now();
        }
        found
    }

    /// Sleeps until something happens, at the latest until `until`, and lets the runtime of the
    /// scheduler know.
    fn sleep_beside_work(&self, until: Option<Instant>) {
        match self.work.get().filter(|_| !self.time.clock.can_jump()) {
            Some(work) => {
                let look = work.falls_asleep(self.switches.get());
                self.sleep_until(until, look);
                work.wakes_up();
            }
            None => self.sleep_until(until, None),
        }
    }

    /// Sleeps until something happens, at the latest until `until` or `or_until`. If a look for
    /// locks that are never released makes a wait fail, returns without sleeping.
    fn sleep_until(&self, until: Option<Instant>, or_until: Option<Instant>) {
        let look = self.next_look(until.is_none());
        if let Look::Now = look {
            let closed = until.is_none()
                && self.outside.external_waits.get() == 0
                && !self.outsiders_may_wake_without_locks();
            if self.look_for_circles(closed) {
                return;
            }
        }
        match until {
            Some(at) if self.time.clock.can_jump() => self.jump_or_wait(at),
            _ => {
                let limits = [until, look.at(), or_until, self.next_trim()];
                self.idle.wait(limits.into_iter().flatten().min());
            }
        }
    }

    /// Returns the latest end of a sleep that something else performs: `Some(None)` for no limit.
    /// If a look for locks that are never released makes a wait fail, returns `None`.
    #[cfg(feature = "tokio")]
    pub(super) fn limit_of_sleep(&self) -> Option<Option<Instant>> {
        let until = self.time.next_look();
        let look = self.next_look(until.is_none());
        if let Look::Now = look {
            if self.look_for_circles(false) {
                return None;
            }
        }
        Some([until, look.at(), self.next_trim()].into_iter().flatten().min())
    }

    /// Advances a clock that can jump to `at`. While a fiber is in an external wait in real time,
    /// or waits for a lock that another thread holds, the clock advances as real time does.
    /// Otherwise every time limit around such a wait would expire immediately.
    fn jump_or_wait(&self, at: Instant) {
        if self.outside.external_waits.get() == 0 && !self.is_kept_from_elsewhere() {
            return self.time.clock.jump_to(at);
        }
        let (now, began) = (self.time.clock.now(), RealClock.now());
        self.idle.wait(began.checked_add(at.saturating_duration_since(now)));
        let waited = RealClock.now().saturating_duration_since(began);
        self.time.clock.jump_to(at.min(now + waited));
    }

    /// Fires all timers whose deadline has passed.
    fn fire_timers(&self) {
        self.time.fire(|alarm| match alarm.rings() {
            Rings::Wait(fiber) => self.end_wait(fiber),
            Rings::Task(index) => self.ring_task(index),
            Rings::Region(region) => self.end_region(region),
        });
    }

    /// Signals to `fiber` that the deadline of its wait has passed, and makes it ready.
    ///
    /// A fiber that is in the ring already gets the signal as well: its wake may have been
    /// spurious, and its wait has no other deadline. A paused fiber also gets the signal, but it
    /// resumes only when it is put back into the ring.
    fn end_wait(&self, fiber: FiberPtr) {
        fiber.timer.set(TimerKey::NONE);
        fiber.signal(Signals::TIMEOUT);
        self.make_ready(fiber);
    }

    /// Ends `region`, whose time limit has passed, and wakes its fiber if it now has something to
    /// raise where it waits. It has nothing to raise if it waits in a shield, or if the region is
    /// on the stack of a suspended generator.
    fn end_region(&self, region: &Region) {
        let fiber = region.time_is_up();
        if interrupt::has_something_to_raise(fiber) {
            self.wake_to_unwind(fiber);
        }
    }
}
