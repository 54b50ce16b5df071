//! Timers of futures: a waker that is called at a moment, whoever waits then.
//!
//! Invariants:
//! - A timer is in the wheel as long as its waker is in the table: who takes one out takes the other.
//! - A timer belongs to the scheduler whose fiber has polled it. From another thread it cannot be
//!   taken back; it then wakes somebody for nothing.

use std::fmt;
use std::task::Waker;

use crate::collections::slot_table::Key;
use crate::collections::timing_wheel::TimerKey;
use crate::sched::scheduler::{Here, Scheduler, scheduler};
use crate::sched::timers::Alarm;

/// A waker that is called at a moment.
pub(crate) struct TaskTimer {
    scheduler: u32,
    key: Key,
}

/// What the table has of it.
#[derive(Debug)]
pub(crate) struct Armed {
    waker: Waker,
    timer: TimerKey,
}

impl TaskTimer {
    /// Wakes by `waker` at `at`, in the microseconds of the running fiber's scheduler.
    pub(crate) fn arm(here: Here, at: u64, waker: &Waker) -> TaskTimer {
        let sched = here.sched;
        // Cloning it is user code.
        let waker = waker.clone();
        let mut armed = sched.task_timers.borrow_mut();
        let key = armed.insert(Armed { waker, timer: TimerKey::NONE });
        let timer = sched.arm(at, Alarm::of_task(key));
        if let Some(armed) = armed.get_mut(key) {
            armed.timer = timer;
        }
        TaskTimer { scheduler: sched.id, key }
    }

    /// Whether it would wake by `waker`, and has not done so yet.
    pub(crate) fn serves(&self, here: Here, waker: &Waker) -> bool {
        let armed = here.sched.task_timers.borrow();
        let same = |armed: &Armed| armed.waker.will_wake(waker);
        here.sched.id == self.scheduler && armed.get(self.key).is_some_and(same)
    }
}

impl Drop for TaskTimer {
    fn drop(&mut self) {
        if let Some(sched) = scheduler().filter(|sched| sched.id == self.scheduler) {
            let armed = sched.task_timers.borrow_mut().remove(self.key);
            if let Some(Armed { timer, .. }) = &armed {
                sched.disarm(*timer);
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
    /// The time of a timer has come: it is out of the wheel.
    pub(crate) fn ring_task(&self, index: u32) {
        let armed = {
            let mut armed = self.task_timers.borrow_mut();
            let key = armed.key_at(index);
            key.and_then(|key| armed.remove(key))
        };
        if let Some(Armed { waker, .. }) = armed {
            self.wake_by(waker);
        }
    }
}
