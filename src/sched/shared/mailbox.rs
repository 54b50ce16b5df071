//! The way into a scheduler from other threads: what they post, and how it is delivered.
//!
//! ```text
//!   other threads                    run loop, once a turn
//!   post --> | unpark | order | wake | --> open_mail --> ring
//!                                              \__ what has no taker --> a fiber drops it
//! ```
//!
//! Invariants:
//! - Mail names a fiber by its key, an index and a generation. A key whose fiber has ended reaches
//!   nothing.
//! - Mail is delivered in the order in which it was posted.
//! - A turn delivers what was there when it began. Mail that says the same as mail which is there already
//!   merges with it: an unpark with one of the same fiber, a wake of a task with one of the same task; and
//!   orders to one tasklet fold when many are outstanding. A wait that others complete is woken once.
//!   So other threads neither hold up the fibers nor fill the memory, however often they call.
//! - Delivery runs no user code. A payload that nobody takes is dropped on a fiber of its own, or on
//!   the main fiber when `run` ends. By then the mailbox refuses orders; the rest is still delivered,
//!   for the destructors of those payloads may wait.

use std::panic::Location;
use std::sync::Arc;

use crate::collections::inbox::Inbox;
use crate::collections::marks::{Mark, Marks};
use crate::collections::orders::Added;
pub(crate) use crate::collections::orders::Order;
use crate::collections::slot_table::Key;
use crate::fiber::header::FiberPtr;
use crate::fiber::token::Token;
use crate::sched::core::end;
use crate::sched::core::pause;
use crate::sched::core::scheduler::Scheduler;
use crate::sched::futures::task::TaskId;
use crate::sched::time::idle::Wake;

/// What other threads post.
#[derive(Debug)]
pub(crate) enum Mail {
    /// To a fiber in `park`.
    Unpark(Arc<Token>),
    /// To a fiber in a wait that other threads complete: it is over.
    Wake(Key),
    /// To a fiber that waits for a future, by its place in the table: which it was is noted in the
    /// mailbox's marks.
    WakeTask(u32),
    /// To a fiber whose output is not asked for any more: it is killed.
    KillUnasked(Key),
    /// To a tasklet: the oldest of the orders in the token.
    Order(Arc<Token>),
    /// The timer of a future was dropped.
    Disarm(Key),
}

/// The way into a scheduler. It outlives its `run`, and refuses orders from then on.
#[derive(Debug)]
pub(crate) struct Mailbox {
    pub(crate) inbox: Inbox<Mail>,
    /// The tasks that `WakeTask` messages in the inbox are for.
    tasks: Marks,
    waker: Arc<dyn Wake>,
}

impl Mailbox {
    pub(crate) fn new(waker: Arc<dyn Wake>) -> Mailbox {
        Mailbox { inbox: Inbox::new(), tasks: Marks::new(), waker }
    }

    /// Posts what may be lost when `run` is over.
    pub(crate) fn post(&self, mail: Mail) {
        if self.inbox.push(mail) {
            self.waker.wake();
        }
    }

    /// Posts an unpark, unless there is one already.
    pub(crate) fn unpark(&self, token: &Arc<Token>) {
        if token.note_unpark() {
            self.post(Mail::Unpark(token.clone()));
        }
    }

    /// Posts a wake of a task, unless there is one already.
    pub(crate) fn wake_task(&self, task: TaskId) {
        if self.tasks.mark(task.index, task.generation) {
            self.post(Mail::WakeTask(task.index));
        }
    }

    /// Posts an order. It comes back if `run` is over.
    pub(crate) fn order(&self, token: &Arc<Token>, order: Order) -> Result<(), Order> {
        let mut orders = token.orders();
        if self.inbox.is_closed() {
            return Err(order);
        }
        let posted = match orders.add(order) {
            Added::Behind => self.inbox.push_if_open(Mail::Order(token.clone())),
            // It is part of one that was accepted, and that is found by the one that takes the lock next.
            Added::Folded(replaced) => {
                drop(orders);
                // A payload: its destructor is user code.
                drop(replaced);
                return Ok(());
            }
        };
        let refused = if posted.is_err() { orders.take_back() } else { None };
        drop(orders);
        if matches!(posted, Ok(true)) {
            self.waker.wake();
        }
        refused.map_or(Ok(()), Err)
    }

    /// Makes a sleeping scheduler look around once.
    pub(crate) fn nudge(&self) {
        if self.inbox.claim_wake() {
            self.waker.wake();
        }
    }
}

impl Scheduler {
    /// Delivers what other threads have posted so far. What comes meanwhile waits for the next turn.
    pub(crate) fn open_mail(&self) {
        for _ in 0..self.mailbox.inbox.len() {
            let Some(mail) = self.mailbox.inbox.pop() else { return };
            self.deliver(mail);
        }
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
            Mail::WakeTask(index) => match self.mailbox.tasks.take(index) {
                Some(Mark::Of(generation)) => self.wake_task(TaskId { index, generation }),
                Some(Mark::Several) => self.wake_task_at(index),
                None => {}
            },
            Mail::KillUnasked(key) => self.kill_unasked(key),
            Mail::Order(token) => {
                let order = token.orders().next();
                if let Some(order) = order {
                    self.carry_out(token.key, order);
                }
            }
            Mail::Disarm(key) => self.disarm_task(key),
        }
    }

    /// The living fiber of `key`.
    pub(crate) fn fiber_of(&self, key: Key) -> Option<FiberPtr> {
        self.table.borrow().get(key).copied()
    }

    /// The fiber may have gone on by itself and wait for something else by now. A wait that
    /// outsiders can end is looked at again for nothing; others are left alone.
    fn wake_from_afar(&self, key: Key) {
        if let Some(fiber) = self.fiber_of(key).filter(|fiber| fiber.reason.get().outsiders) {
            self.make_ready(fiber);
        }
    }

    /// Does what other threads ask of a tasklet, as far as it can be done now.
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
            // Main, when it winds up, is past the place where a bomb is looked for.
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

    /// Drops what belongs to users where that may run user code.
    pub(crate) fn drop_on_a_fiber<T: 'static>(&self, value: T) {
        let fiber = self.create_paused(move || drop(value), Location::caller());
        self.unpause(fiber.ptr());
    }

    /// On the main fiber, the last one: no order is accepted from now on, and those that came in
    /// vain are dropped here. Returns whether there were any: user code has run then.
    pub(crate) fn close_mail(&self, main: FiberPtr) -> bool {
        self.mailbox.inbox.close();
        let mut dropped = false;
        // Orders that were accepted are among these. What comes later are wakes, and may come forever.
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
}
