//! Timers of futures: a waker that is called at a moment, whoever waits then.
//!
//! Invariants:
//! - A timer is in the wheel as long as its waker is in the table: who takes one out takes the other.
//! - A timer belongs to the scheduler whose fiber has polled it. Dropped by another thread it is taken
//!   out by mail, and its waker dropped by a fiber of that scheduler.
//! - A waker of the user's is dropped by a fiber: those that are left at the end of `run` by the main fiber,
//!   and none with the scheduler.

use std::fmt;
use std::task::Waker;

use crate::collections::slot_table::Key;
use crate::collections::timing_wheel::TimerKey;
use crate::fiber::header::FiberPtr;
use crate::sched::core::end;
use crate::sched::core::scheduler::{CurrentFiber, Scheduler, scheduler};
use crate::sched::shared::mailbox::Mail;
use crate::sched::shared::registry;
use crate::sched::time::alarm::Alarm;
use crate::sched::time::timers::Armed;

/// Rounds of dropping wakers whose destructors leave others.
const MOST_ROUNDS: usize = 100;

/// A waker that is called at a moment.
pub(crate) struct TaskTimer {
    scheduler: u32,
    key: Key,
}

impl TaskTimer {
    /// Wakes by `waker` at `at`, in the microseconds of the running fiber's scheduler.
    pub(crate) fn arm(current: CurrentFiber, at: u64, waker: &Waker) -> TaskTimer {
        let sched = current.sched;
        // Cloning it is user code.
        let waker = waker.clone();
        let mut armed = sched.time.of_tasks.borrow_mut();
        let key = armed.insert(Armed { waker, timer: TimerKey::NONE });
        let timer = sched.time.arm(at, Alarm::of_task(key));
        if let Some(armed) = armed.get_mut(key) {
            armed.timer = timer;
        }
        TaskTimer { scheduler: sched.id, key }
    }

    /// Whether it would wake by `waker`, and has not done so yet.
    pub(crate) fn serves(&self, current: CurrentFiber, waker: &Waker) -> bool {
        let armed = current.sched.time.of_tasks.borrow();
        let same = |armed: &Armed| armed.waker.will_wake(waker);
        current.sched.id == self.scheduler && armed.get(self.key).is_some_and(same)
    }
}

impl Drop for TaskTimer {
    fn drop(&mut self) {
        match scheduler().filter(|sched| sched.id == self.scheduler) {
            // The caller is user code, and so may the destructor of the waker be.
            Some(sched) => drop(sched.take_task_timer(self.key)),
            None => {
                if let Some(mailbox) = registry::mailbox(self.scheduler) {
                    mailbox.post(Mail::Disarm(self.key));
                }
            }
        }
    }
}

impl fmt::Debug for TaskTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskTimer").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Scheduler {
    /// Takes a timer out. Returns its waker, if it has not rung.
    fn take_task_timer(&self, key: Key) -> Option<Waker> {
        let Armed { waker, timer } = self.time.of_tasks.borrow_mut().remove(key)?;
        self.time.disarm(timer);
        Some(waker)
    }

    /// Another thread has dropped a timer.
    pub(crate) fn disarm_task(&self, key: Key) {
        if let Some(waker) = self.take_task_timer(key) {
            self.drop_waker(waker);
        }
    }

    /// On the main fiber, the last one: drops the wakers of users that are left. Their destructors may leave
    /// new ones; where that has no end the rest is leaked. Returns whether there were any.
    pub(crate) fn drop_wakers(&self, main: FiberPtr) -> bool {
        let mut dropped = false;
        for _ in 0..MOST_ROUNDS {
            let keys: Vec<_> = self.time.of_tasks.borrow().iter().map(|(key, _)| key).collect();
            let timers = keys.into_iter().filter_map(|key| self.take_task_timer(key));
            let mut wakers: Vec<_> = timers.collect();
            wakers.extend(self.idle.take_wakers());
            if wakers.is_empty() {
                break;
            }
            dropped = true;
            wakers.into_iter().for_each(|waker| end::quietly(&main, || drop(waker)));
        }
        dropped
    }

    /// The time of a timer has come: it is out of the wheel.
    pub(crate) fn ring_task(&self, index: u32) {
        let armed = {
            let mut armed = self.time.of_tasks.borrow_mut();
            let key = armed.key_at(index);
            key.and_then(|key| armed.remove(key))
        };
        if let Some(Armed { waker, .. }) = armed {
            self.wake_by(waker);
        }
    }
}
