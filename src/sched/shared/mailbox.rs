//! The way into a scheduler from other threads: what they post. Delivery is
//! [`deliver`](crate::sched::threads::deliver).
//!
//! ```text
//!   other threads                    run loop, once per turn
//!   post --> | unpark | order | wake | --> open_mail --> ring
//!                                              \__ what has no taker --> a fiber drops it
//! ```
//!
//! Invariants:
//! - Mail names a fiber by its key, an index and a generation. A key whose fiber has ended reaches
//!   nothing.
//! - Mail is delivered in the order in which it was posted.
//! - Mail that repeats mail which is there already merges with it: an unpark with one of the same
//!   fiber, a wake of a task with one of the same task. Orders to one tasklet fold when many are
//!   outstanding. A wait that others complete is woken once. So other threads do not fill the
//!   memory, however often they call.
//! - A mailbox that is closed refuses orders, and takes everything else.

use std::sync::Arc;

use crate::collections::inbox::Inbox;
use crate::collections::marks::Marks;
use crate::collections::orders::Added;
pub(crate) use crate::collections::orders::Order;
use crate::collections::slot_table::Key;
use crate::fiber::token::Token;
use crate::sched::time::idle::Wake;

/// A fiber that waits for a future, as its waker names it.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) struct TaskId {
    pub(crate) index: u32,
    /// The lower bits of its generation.
    pub(crate) generation: u32,
}

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
    pub(crate) tasks: Marks,
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
