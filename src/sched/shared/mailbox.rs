//! The mailbox of a scheduler, in which other threads post. The run loop delivers the mail:
//! [`deliver`](crate::sched::threads::deliver).
//!
//! ```text
//!   other threads                    run loop, a few times per batch
//!   post --> | unpark | order | wake | --> open_mail --> ring
//!                                              \__ a payload for no fiber --> a fiber drops it
//! ```
//!
//! Invariants:
//! - Mail names a fiber by its key, an index and a generation. A key whose fiber has ended reaches
//!   nothing.
//! - Mail is delivered in the order in which it was posted.
//! - Mail that repeats undelivered mail merges with it: an unpark with an unpark of the same fiber,
//!   a wake of a task with a wake of the same task. Orders to one tasklet fold when many are
//!   outstanding. A wait that others complete is woken once. So other threads do not fill the
//!   memory, however often they call.
//! - A mailbox that is closed refuses orders, and accepts everything else.

use std::borrow::Cow;
use std::sync::Arc;

use crate::collections::inbox::{Inbox, Message};
use crate::collections::marks::Marks;
use crate::collections::orders::Added;
pub(crate) use crate::collections::orders::Order;
use crate::collections::slot_table::Key;
use crate::collections::words::{Kind, Word};
use crate::fiber::token::Token;
use crate::sched::time::idle::Wake;

/// The name under which a waker knows a fiber that waits for a future.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) struct TaskId {
    pub(crate) index: u32,
    /// Some bits of the generation of the fiber's key, mixed with the number of its scheduler.
    pub(crate) generation: u32,
}

/// A message from another thread.
#[derive(Debug)]
pub(crate) enum Mail {
    /// To a fiber in `park`.
    Unpark(Arc<Token>),
    /// To a fiber in a wait that other threads complete: the wait is over.
    Wake(Key),
    /// To a fiber that waits for a future, by its index in the table. Its generation is in the
    /// marks of the scheduler's [place](crate::sched::shared::places).
    WakeTask(u32),
    /// The same for a waker that does not know the place: the generation is in [`Mailbox::tasks`].
    WakeUnpacked(u32),
    /// To a fiber whose output is no longer needed: it is killed.
    KillUnasked(Key),
    /// To a fiber that runs a job: it is killed, for this reason if there is one.
    Kill(Key, Option<Cow<'static, str>>),
    /// To the main fiber: the process ends with this code once all fibers were unwound.
    Exit(i32),
    /// To a tasklet: the oldest of the orders in the token.
    Order(Arc<Token>),
    /// To the scheduler: other threads ask for a dump of its fibers.
    Asked,
    /// The timer of a future was dropped.
    Disarm(Key),
}

impl Message for Mail {
    #[inline(always)]
    fn as_word(&self) -> Option<Word> {
        match *self {
            Mail::Wake(key) => Some(Word { kind: Kind::One, value: key.to_bits() }),
            Mail::WakeTask(index) => Some(Word { kind: Kind::Two, value: u64::from(index) }),
            _ => None,
        }
    }

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "`as_word` has widened it")]
    fn of_word(word: Word) -> Mail {
        match word.kind {
            Kind::One => Mail::Wake(Key::from_bits(word.value)),
            Kind::Two => Mail::WakeTask(word.value as u32),
        }
    }
}

/// The way into a scheduler. It outlives its `run`, and refuses orders from then on.
#[derive(Debug)]
pub(crate) struct Mailbox {
    pub(crate) inbox: Inbox<Mail>,
    /// The tasks that the `WakeUnpacked` messages in the inbox are for.
    pub(crate) tasks: Marks,
    waker: Arc<dyn Wake>,
}

impl Mailbox {
    pub(crate) fn new(waker: Arc<dyn Wake>) -> Mailbox {
        Mailbox { inbox: Inbox::new(), tasks: Marks::new(), waker }
    }

    /// Posts `mail`, which is lost if `run` is over.
    pub(crate) fn post(&self, mail: Mail) {
        if self.inbox.push(mail) {
            self.wake();
        }
    }

    /// Posts an unpark, unless the inbox already holds one of the same fiber.
    pub(crate) fn unpark(&self, token: &Arc<Token>) {
        if token.note_unpark() {
            self.post(Mail::Unpark(token.clone()));
        }
    }

    /// Posts a wake of `task`, unless the inbox already holds one.
    pub(crate) fn wake_unpacked(&self, task: TaskId) {
        if self.tasks.mark(task.index, task.generation) {
            self.post(Mail::WakeUnpacked(task.index));
        }
    }

    /// Appends `mail`, which is lost if `run` is over. Returns whether the scheduler sleeps, and
    /// the caller must [wake](Mailbox::wake) it.
    #[must_use]
    pub(crate) fn post_without_wake(&self, mail: Mail) -> bool {
        self.inbox.push(mail)
    }

    /// Wakes the scheduler, whose sleep the caller has claimed.
    pub(crate) fn wake(&self) {
        self.waker.wake();
    }

    /// Posts an order. Returns the order in `Err` if `run` is over.
    pub(crate) fn order(&self, token: &Arc<Token>, order: Order) -> Result<(), Order> {
        let mut orders = token.orders();
        if self.inbox.is_closed() {
            return Err(order);
        }
        let posted = match orders.add(order) {
            Added::Behind => self.inbox.push_if_open(Mail::Order(token.clone())),
            // The order is part of an accepted one, for which there is mail in the inbox: the
            // delivery of that mail takes this lock, and finds the result.
            Added::Folded(replaced) => {
                drop(orders);
                // A payload, whose destructor is user code: the lock must be released before.
                drop(replaced);
                return Ok(());
            }
        };
        let refused = if posted.is_err() { orders.take_back() } else { None };
        drop(orders);
        if matches!(posted, Ok(true)) {
            self.wake();
        }
        refused.map_or(Ok(()), Err)
    }

    /// Wakes the scheduler for one turn, if it sleeps.
    pub(crate) fn nudge(&self) {
        if self.inbox.claim_wake() {
            self.wake();
        }
    }
}
