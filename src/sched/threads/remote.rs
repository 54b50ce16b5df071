//! How other threads reach a fiber: they hold a key and a mailbox, and never its record.
//!
//! Invariants:
//! - What crosses threads is a key (an index and a generation). A key whose fiber has ended
//!   reaches nothing.
//! - A scheduler knows which of its fibers others may still wake: each has a token that counts its
//!   unparkers. That is what tells a deadlock from a wait for another thread: see
//!   [`witness`](crate::sched::shared::witnesses).

use std::fmt;
use std::sync::Arc;

use crate::collections::slot_table::Key;
use crate::fiber::header::FiberPtr;
use crate::fiber::id::FiberId;
use crate::fiber::state::State;
use crate::fiber::token::Token;
use crate::sched::core::scheduler::{SchedulerPtr, current_fiber};
use crate::sched::shared::mailbox::{Mailbox, Order};

/// Wakes one fiber out of [`park`](crate::park), from any thread.
///
/// It does what [`Fiber::unpark`](crate::Fiber::unpark) does, and is `Send` and `Sync`. It keeps
/// neither the fiber nor its scheduler alive: once they are gone it does nothing. As long as an
/// unparker exists somewhere, a fiber that waits in `park` is not part of a deadlock.
///
/// # Examples
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicBool, Ordering}};
///
/// let done = Arc::new(AtomicBool::new(false));
/// fibra::run(|| {
///     let unparker = fibra::current().unparker();
///     let flag = done.clone();
///     let thread = std::thread::spawn(move || {
///         flag.store(true, Ordering::SeqCst);
///         unparker.unpark();
///     });
///     while !done.load(Ordering::SeqCst) {
///         fibra::park();
///     }
///     thread.join().unwrap();
/// });
/// ```
#[derive(Clone)]
pub struct Unparker {
    address: Address,
}

impl Unparker {
    /// Lets the fiber's present `park`, or if it is not in one its next, return.
    ///
    /// It never waits. Calls that come before the fiber's scheduler has seen the first of them are one,
    /// so they cost no memory, and other fibers run however often this is called.
    pub fn unpark(&self) {
        self.address.mailbox.unpark(&self.address.token);
    }

    /// The fiber that it wakes.
    #[must_use]
    pub fn id(&self) -> FiberId {
        self.address.id()
    }
}

impl fmt::Debug for Unparker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unparker").field("fiber", &self.id()).finish_non_exhaustive()
    }
}

/// An unparker for `fiber`, which is of this thread's scheduler, or has ended.
#[track_caller]
pub(crate) fn unparker(fiber: FiberPtr) -> Unparker {
    Unparker { address: Address::new(current_fiber().sched, fiber, Reach::Unpark) }
}

/// What the holder of an address may do: which of a fiber's waits it may end.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Reach {
    /// Those that say so of themselves.
    Unpark,
    /// Any.
    Command,
}

/// How other threads reach one fiber.
pub(crate) struct Address {
    mailbox: Arc<Mailbox>,
    token: Arc<Token>,
}

impl Address {
    /// The address of `fiber`, which is one of `sched`, or has ended.
    pub(crate) fn new(sched: SchedulerPtr, fiber: FiberPtr, reach: Reach) -> Address {
        let token = if matches!(fiber.state.get(), State::Finished | State::Abandoned) {
            // Its key may belong to another fiber by now, if its `run` is over.
            Arc::new(Token::new(Key::from_bits(0), fiber.id()))
        } else {
            sched.witnesses.borrow_mut().note_reachable(fiber, &sched.table.borrow());
            let (key, id) = (fiber.key.get(), fiber.id());
            fiber.with_extra(|extra| {
                let place = match reach {
                    Reach::Unpark => &mut extra.unparkers,
                    Reach::Command => &mut extra.commanders,
                };
                place.get_or_insert_with(|| Arc::new(Token::new(key, id))).clone()
            })
        };
        token.hold();
        Address { mailbox: sched.mailbox.clone(), token }
    }

    /// Asks something of the fiber. The order comes back if its `run` is over.
    pub(crate) fn order(&self, order: Order) -> Result<(), Order> {
        self.mailbox.order(&self.token, order)
    }

    /// Whether its `run` is over.
    pub(crate) fn is_gone(&self) -> bool {
        self.mailbox.inbox.is_closed()
    }

    pub(crate) fn id(&self) -> FiberId {
        self.token.id
    }
}

impl Clone for Address {
    fn clone(&self) -> Address {
        self.token.hold();
        Address { mailbox: self.mailbox.clone(), token: self.token.clone() }
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        // It may be a deadlock now: the scheduler looks again. (Which of the two comes second, this or
        // that the scheduler goes to sleep, sees the other: `collections/publish.rs`.)
        if self.token.release() {
            self.mailbox.nudge();
        }
    }
}
