//! Delivery of the mail from other threads, by the run loop.
//!
//! Invariants:
//! - A turn delivers the mail that was in the inbox when the delivery began. So other threads do
//!   not hold up the fibers, however often they call.
//! - Mail is delivered in the order in which it was posted. A key whose fiber has ended reaches
//!   nothing.
//! - Mail is also looked for in the middle of a batch. A few fibers that it wakes run before all
//!   others; they get at most half of the switches that way.
//! - Delivery runs no user code. A payload that can be thrown at no fiber is dropped on a fiber of
//!   its own, or on the main fiber when `run` ends. By then the mailbox refuses orders; the rest is
//!   still delivered, because the destructors of those payloads may wait.

use std::borrow::Cow;

use crate::collections::marks::Mark;
use crate::collections::slot_table::Key;
use crate::fiber::header::FiberPtr;
use crate::sched::core::end;
use crate::sched::core::pause;
use crate::sched::core::scheduler::Scheduler;
use crate::sched::shared::mailbox::{Mail, Order, TaskId};
use crate::sched::shared::places;

/// The most fibers that run before all others because mail has woken them.
const AT_ONCE: usize = 8;

/// Returns whether `mail` makes a fiber ready and does nothing else.
fn is_wake(mail: &Mail) -> bool {
    matches!(mail, Mail::Unpark(_) | Mail::Wake(_) | Mail::WakeTask(_) | Mail::WakeUnpacked(_))
}

impl Scheduler {
    /// Delivers the mail that other threads have posted so far. Mail that arrives meanwhile waits
    /// for the next turn.
    pub(crate) fn open_mail(&self) {
        let posted = self.mailbox.inbox.len();
        let first = posted.min(AT_ONCE);
        let delivered = self.deliver_first(first);
        for _ in delivered..posted {
            let Some(mail) = self.mailbox.inbox.pop() else { return };
            self.deliver(mail);
        }
    }

    /// Delivers up to [`AT_ONCE`] messages, in the middle of a batch.
    pub(crate) fn open_mail_within_a_batch(&self) {
        self.deliver_first(self.mailbox.inbox.len().min(AT_ONCE));
    }

    /// Delivers `count` messages. The fibers that they wake run before all others, in the order of
    /// the mail. (At the end of the ring they would wait for a whole round, however long that is.)
    /// Returns `count`, or 0 if mail must take its turn now.
    fn deliver_first(&self, count: usize) -> usize {
        let switches = self.switches.get();
        if !self.pace.mail_may_precede(switches) {
            return 0;
        }
        let mut woken = 0;
        for _ in 0..count {
            let Some(mail) = self.mailbox.inbox.pop() else { break };
            let is_wake = is_wake(&mail);
            let stored = self.ring(|ring| ring.stored());
            self.deliver(mail);
            self.ring(|ring| {
                if is_wake && stored < ring.stored() {
                    ring.move_last_to(woken);
                    woken += 1;
                }
            });
        }
        self.pace.mail_preceded(switches, woken as u64);
        count
    }

    fn deliver(&self, mail: Mail) {
        match mail {
            Mail::Unpark(token) => {
                token.take_unpark();
                if let Some(fiber) = self.fiber_of(token.key) {
                    self.unpark(fiber);
                }
            }
            Mail::Wake(key) => self.wake_from_afar(key),
            Mail::WakeTask(index) => {
                let mark = self.place.and_then(|place| places::take_mark(place, index));
                self.wake_marked(index, mark);
            }
            Mail::WakeUnpacked(index) => self.wake_marked(index, self.mailbox.tasks.take(index)),
            Mail::KillUnasked(key) => self.kill_unasked(key),
            Mail::Kill(key, reason) => self.kill_for(key, reason),
            Mail::Exit(code) => self.exit_with(code),
            Mail::Order(token) => {
                let order = token.orders().next();
                if let Some(order) = order {
                    self.carry_out(token.key, order);
                }
            }
            Mail::Asked => {
                self.work.get().into_iter().for_each(|work| work.answer());
                self.watch.get().into_iter().for_each(|watch| watch.answer(self));
            }
            Mail::Disarm(key) => self.disarm_task(key),
        }
    }

    /// Wakes the task with that index in the table, or those for which it was marked.
    fn wake_marked(&self, index: u32, mark: Option<Mark>) {
        match mark {
            Some(Mark::Of(generation)) => self.wake_task(TaskId { index, generation }),
            Some(Mark::Several) => self.wake_task_at(index),
            None => {}
        }
    }

    /// Makes the fiber of `key` ready, if its wait is one that outsiders can end.
    ///
    /// The fiber may have resumed by itself and wait for something else by now. If outsiders can
    /// end that wait, the wake is spurious; any other wait is not woken.
    fn wake_from_afar(&self, key: Key) {
        if let Some(fiber) = self.fiber_of(key).filter(|fiber| fiber.reason.get().outsiders) {
            self.make_ready(fiber);
        }
    }

    /// Carries out an order of another thread to a tasklet, as far as that is possible now.
    fn carry_out(&self, key: Key, order: Order) {
        let fiber = self.fiber_of(key);
        match (order, fiber) {
            (Order::Insert, Some(fiber)) => {
                self.unpause(fiber);
            }
            (Order::Remove, Some(fiber)) => {
                self.pause(fiber);
            }
            (Order::Run, Some(fiber)) if self.is_queued(fiber) || pause::is_floating(fiber) => {
                self.bring_to_front(fiber);
            }
            // While `run` ends, the main fiber no longer checks for a pending throw.
            (Order::Throw(payload), Some(fiber)) if !self.closing.get() => {
                let replaced = self.throw_later(fiber, payload);
                replaced.into_iter().for_each(|payload| self.drop_on_a_fiber(payload));
            }
            (Order::Throw(payload), _) => self.drop_on_a_fiber(payload),
            (Order::InsertRemove, Some(fiber)) => {
                self.unpause(fiber);
                self.pause(fiber);
            }
            (Order::RemoveInsert, Some(fiber)) => {
                self.pause(fiber);
                self.unpause(fiber);
            }
            (_, _) => {}
        }
    }

    /// Closes the mailbox to orders, delivers the rest, and drops the payloads of throws that were
    /// not carried out. Returns whether there were any, because then user code has run.
    ///
    /// Must be called by `main`, the main fiber, once all other fibers have ended.
    pub(crate) fn close_mail(&self, main: FiberPtr) -> bool {
        self.mailbox.inbox.close();
        let mut dropped = false;
        // All accepted orders are among these. Later mail is only wakes, and may come forever.
        for _ in 0..self.mailbox.inbox.len() {
            let Some(mail) = self.mailbox.inbox.pop() else { break };
            let Mail::Order(token) = mail else {
                self.deliver(mail);
                continue;
            };
            let order = token.orders().next();
            match order {
                Some(Order::Throw(payload)) => {
                    dropped = true;
                    end::quietly(&main, || drop(payload));
                }
                Some(other) => self.carry_out(token.key, other),
                None => {}
            }
        }
        dropped
    }

    /// Kills the fiber of `key`, for `reason` if there is one.
    pub(crate) fn kill_for(&self, key: Key, reason: Option<Cow<'static, str>>) {
        if let Some(fiber) = self.fiber_of(key) {
            if let Some(reason) = reason {
                fiber.with_extra(|extra| extra.kill_reason.get_or_insert(reason).len());
            }
            self.kill(fiber);
        }
    }

    /// Ends the process with `code` once all fibers were unwound: kills the main fiber.
    fn exit_with(&self, code: i32) {
        self.main.exit_code.set(Some(code));
        if let Some(main) = self.main.get() {
            self.kill(main);
        }
    }

    /// Kills the fiber of `key`, whose output is no longer needed.
    pub(crate) fn kill_unasked(&self, key: Key) {
        if let Some(fiber) = self.fiber_of(key) {
            fiber.has_handle.set(false);
            self.kill(fiber);
        }
    }
}
