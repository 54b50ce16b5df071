//! The turns of a scheduler whose thread an event loop of another library runs: the host.
//!
//! Between two turns the scheduler stays that of its thread, and code of the host runs there, which
//! may wake fibers.
//!
//! Invariants:
//! - Between two turns, other threads know that the scheduler sleeps if and only if `asleep` is
//!   set.
//! - There is no deadlock: code of the host may wake any fiber.
//!
//! It may use `time`, `core`, `tasklet`, `futures`, `threads` and `deadlock`.

use std::time::Instant;

use crate::collections::run_ring::Alarm;
use crate::sched::core::scheduler::Scheduler;
use crate::sched::time::idle::{Next, Turns};

impl Turns for Scheduler {
    fn turn(&self) -> Next {
        self.end_rest();
        self.batch();
        if self.main_ended.get() {
            return Next::Over;
        }
        let turns = self.hosted.turns.get().wrapping_add(1);
        self.hosted.turns.set(turns);
        if self.opened_mail_early() || self.turn_without_sleep(turns) {
            return Next::Again;
        }
        self.fall_asleep().map_or(Next::Again, Next::Sleep)
    }

    fn rest(&self, alarm: Alarm) -> bool {
        let is_idle = self.ring(|ring| ring.stored()) == 0;
        if is_idle {
            self.ring(|ring| ring.set_alarm(alarm));
        }
        is_idle
    }

    fn run_until_done(&self) {
        self.end_rest();
        Scheduler::run_until_done(self);
    }
}

impl Scheduler {
    /// Announces to other threads that the scheduler sleeps. Returns the latest end of the sleep,
    /// or `None` if something has come.
    fn fall_asleep(&self) -> Option<Option<Instant>> {
        if !self.mailbox.inbox.announce_sleep() {
            return None;
        }
        self.hosted.asleep.set(true);
        self.watch_sleeps();
        let may_sleep = self.may_sleep_beside_work();
        if may_sleep {
            // An event that came before the announcement has woken no thread.
            self.idle.poll();
        }
        let is_idle = may_sleep && self.ring(|ring| ring.stored()) == 0;
        let Some(until) = is_idle.then(|| self.limit_of_sleep()).flatten() else {
            self.end_rest();
            return None;
        };
        self.hosted.counts_as_asleep.set(true);
        let look = self.work.get().and_then(|work| work.falls_asleep(self.switches.get()));
        Some(until.into_iter().chain(look).min())
    }

    /// Withdraws the announcement, and the alarm.
    fn end_rest(&self) {
        if !self.hosted.asleep.replace(false) {
            return;
        }
        self.watch_wakes();
        self.ring(|ring| ring.clear_alarm());
        let counts_as_asleep = self.hosted.counts_as_asleep.replace(false);
        if let Some(work) = self.work.get() {
            if counts_as_asleep {
                work.wakes_up();
            }
            work.is_awake();
        }
        self.mailbox.inbox.announce_awake();
        self.refresh_now();
    }
}
