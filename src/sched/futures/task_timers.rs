//! Timers of futures: each calls a waker at a deadline.
//!
//! Invariants:
//! - A timer is in the wheel as long as its waker is in the table: the code that takes one out
//!   takes out the other.
//! - A timer belongs to the scheduler whose fiber has polled it. If another thread drops it, it is
//!   taken out by mail, and a fiber of that scheduler drops its waker.
//! - A user's waker is dropped by a fiber. The main fiber drops those that are left at the end of
//!   `run`; none is dropped together with the scheduler.

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

/// The most rounds of dropping wakers whose destructors leave new ones.
const MOST_ROUNDS: usize = 100;

/// A timer that calls a waker at a deadline. Dropping it disarms the timer.
pub(crate) struct TaskTimer {
    scheduler: u32,
    key: Key,
}

impl TaskTimer {
    /// Arms a timer that calls `waker` at `at`, in microseconds since the start of the current
    /// fiber's scheduler.
    pub(crate) fn arm(current: CurrentFiber, at: u64, waker: &Waker) -> TaskTimer {
        let sched = current.sched;
        // Cloning may run user code, so nothing is borrowed yet.
        let waker = waker.clone();
        let mut armed = sched.time.of_tasks.borrow_mut();
        let key = armed.insert(Armed { waker, timer: TimerKey::NONE });
        let timer = sched.time.arm(at, Alarm::of_task(key));
        if let Some(armed) = armed.get_mut(key) {
            armed.timer = timer;
        }
        TaskTimer { scheduler: sched.id, key }
    }

    /// Returns whether the timer will call `waker`: it was armed with an equivalent one by the
    /// current scheduler, and has not fired yet.
    pub(crate) fn serves(&self, current: CurrentFiber, waker: &Waker) -> bool {
        let armed = current.sched.time.of_tasks.borrow();
        let same = |armed: &Armed| armed.waker.will_wake(waker);
        current.sched.id == self.scheduler && armed.get(self.key).is_some_and(same)
    }
}

impl Drop for TaskTimer {
    fn drop(&mut self) {
        match scheduler().filter(|sched| sched.id == self.scheduler) {
            // Nothing is borrowed here, so the destructor of the waker may run user code.
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
    /// Takes a timer out of the wheel and the table. Returns its waker, if it has not fired yet.
    fn take_task_timer(&self, key: Key) -> Option<Waker> {
        let Armed { waker, timer } = self.time.of_tasks.borrow_mut().remove(key)?;
        self.time.disarm(timer);
        Some(waker)
    }

    /// Takes out a timer that another thread has dropped.
    pub(crate) fn disarm_task(&self, key: Key) {
        if let Some(waker) = self.take_task_timer(key) {
            self.drop_waker(waker);
        }
    }

    /// Drops the users' wakers that are left, and returns whether there were any. Their destructors
    /// may leave new ones; if that goes on for [`MOST_ROUNDS`] rounds, the rest is leaked.
    ///
    /// Must be called by `main`, the main fiber, once all other fibers have ended.
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

    /// Calls the waker of the timer with that index, which has fired and is out of the wheel.
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
