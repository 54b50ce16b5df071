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
//! - Delivery runs no user code. A payload that nobody takes is dropped on a fiber of its own, or on
//!   the main fiber when `run` ends. By then the mailbox refuses orders; the rest is still delivered,
//!   for the destructors of those payloads may wait.

use std::any::Any;
use std::panic::Location;
use std::sync::Arc;

use crate::collections::inbox::Inbox;
use crate::collections::slot_table::Key;
use crate::fiber::header::FiberPtr;
use crate::sched::end;
use crate::sched::idle::Wake;
use crate::sched::pause;
use crate::sched::scheduler::Scheduler;
use crate::sched::task::TaskId;

/// What other threads post.
#[derive(Debug)]
pub(crate) enum Mail {
    /// To a fiber in `park`.
    Unpark(Key),
    /// To a fiber in a wait that other threads complete: it is over.
    Wake(Key),
    /// To a fiber that waits for a future.
    WakeTask(TaskId),
    /// To a fiber whose output is not asked for any more: it is killed.
    KillUnasked(Key),
    /// To a tasklet.
    Order(Key, Order),
}

/// What can be asked of a tasklet from afar.
#[derive(Debug)]
pub(crate) enum Order {
    /// To go to the end of the ring, if it is paused.
    Insert,
    /// To leave the ring.
    Remove,
    /// To run before all others.
    Run,
    /// To be raised where it waits.
    Throw(Box<dyn Any + Send>),
}

/// The way into a scheduler. It outlives its `run`, and refuses orders from then on.
#[derive(Debug)]
pub(crate) struct Mailbox {
    pub(crate) inbox: Inbox<Mail>,
    waker: Arc<dyn Wake>,
}

impl Mailbox {
    pub(crate) fn new(waker: Arc<dyn Wake>) -> Mailbox {
        Mailbox { inbox: Inbox::new(), waker }
    }

    /// Posts what may be lost when `run` is over.
    pub(crate) fn post(&self, mail: Mail) {
        if self.inbox.push(mail) {
            self.waker.wake();
        }
    }

    /// Posts an order. It comes back if `run` is over.
    pub(crate) fn post_order(&self, key: Key, order: Order) -> Result<(), Order> {
        match self.inbox.push_if_open(Mail::Order(key, order)) {
            Ok(false) => Ok(()),
            Ok(true) => {
                self.waker.wake();
                Ok(())
            }
            Err(Mail::Order(_, order)) => Err(order),
            Err(_) => unreachable!("an order was posted"),
        }
    }

    /// Makes a sleeping scheduler look around once.
    pub(crate) fn nudge(&self) {
        if self.inbox.claim_wake() {
            self.waker.wake();
        }
    }
}

impl Scheduler {
    /// Delivers what other threads have posted.
    pub(crate) fn open_mail(&self) {
        while let Some(mail) = self.mailbox.inbox.pop() {
            self.deliver(mail);
        }
    }

    fn deliver(&self, mail: Mail) {
        match mail {
            Mail::Unpark(key) => {
                if let Some(fiber) = self.fiber_of(key) {
                    self.unpark(fiber);
                }
            }
            Mail::Wake(key) => self.wake_from_afar(key),
            Mail::WakeTask(task) => self.deliver_wake(task),
            Mail::KillUnasked(key) => self.kill_unasked(key),
            Mail::Order(key, order) => self.carry_out(key, order),
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
            (Order::Insert | Order::Remove | Order::Run, _) => {}
        }
    }

    fn drop_on_a_fiber(&self, payload: Box<dyn Any + Send>) {
        let fiber = self.create_paused(move || drop(payload), Location::caller());
        self.unpause(fiber.ptr());
    }

    /// On the main fiber, the last one: no order is accepted from now on, and those that came in
    /// vain are dropped here. Returns whether there were any: user code has run then.
    pub(crate) fn close_mail(&self, main: FiberPtr) -> bool {
        self.mailbox.inbox.close();
        let mut dropped = false;
        while let Some(mail) = self.mailbox.inbox.pop() {
            match mail {
                Mail::Order(_, Order::Throw(payload)) => {
                    dropped = true;
                    end::quietly(&main, || drop(payload));
                }
                other => self.deliver(other),
            }
        }
        dropped
    }
}
