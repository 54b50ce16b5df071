//! The addresses with which other threads reach a fiber. An address holds a key and a mailbox, and
//! never the fiber's header.
//!
//! Invariants:
//! - Only a key (an index and a generation) crosses threads. A key whose fiber has ended reaches
//!   nothing.
//! - A scheduler knows which of its fibers other threads may still wake: each of these has a token
//!   that counts its addresses. This distinguishes a deadlock from a wait for another thread: see
//!   [`witnesses`](crate::sched::shared::witnesses).

use std::fmt;
use std::sync::Arc;

use crate::collections::slot_table::Key;
use crate::fiber::header::FiberPtr;
use crate::fiber::id::FiberId;
use crate::fiber::state::State;
use crate::fiber::token::Token;
use crate::sched::core::scheduler::{SchedulerPtr, current_fiber, scheduler};
use crate::sched::shared::mailbox::{Mailbox, Order};

/// A handle that wakes one fiber from [`park`](crate::park), on any thread.
///
/// It works like [`Fiber::unpark`](crate::Fiber::unpark), and is `Send` and `Sync`. It keeps
/// neither the fiber nor its scheduler alive: once the fiber has ended, it does nothing. As long
/// as an unparker exists, its fiber's wait in `park` is not part of a deadlock.
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
    /// Makes the fiber's current call of [`park`](crate::park) return or, if it is in none, its
    /// next one.
    ///
    /// May be called on any thread, inside and outside of fibers, and never waits. On the fiber's
    /// own thread this is the same as [`Fiber::unpark`](crate::Fiber::unpark). Calls on other
    /// threads that come before the fiber's scheduler has seen the first of them merge into one. So
    /// they use no memory, and other fibers run however often this is called.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let unparker = fibra::current().unparker(); // may be sent to other threads
    ///     let thread = std::thread::spawn(move || unparker.unpark());
    ///     fibra::park();
    ///     thread.join().unwrap();
    /// });
    /// ```
    pub fn unpark(&self) {
        let Address { mailbox, token } = &self.address;
        match scheduler().filter(|sched| Arc::ptr_eq(&sched.mailbox, mailbox)) {
            Some(sched) => {
                if let Some(fiber) = sched.fiber_of(token.key) {
                    sched.unpark(fiber);
                }
            }
            None => mailbox.unpark(token),
        }
    }

    /// Returns the id of the fiber that it wakes.
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

/// Returns an unparker for `fiber`, which must belong to this thread's scheduler or have ended.
#[track_caller]
pub(crate) fn unparker(fiber: FiberPtr) -> Unparker {
    Unparker { address: Address::new(current_fiber().sched, fiber, Reach::Unpark) }
}

/// The rights of the holder of an address: which waits of the fiber it may end.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Reach {
    /// Waits in `park`.
    Unpark,
    /// All waits.
    Command,
}

/// The address of one fiber, for other threads.
pub(crate) struct Address {
    mailbox: Arc<Mailbox>,
    token: Arc<Token>,
}

impl Address {
    /// Creates an address of `fiber`, which must belong to `sched` or have ended.
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

    /// Posts an order to the fiber. Returns the order in `Err` if the fiber's `run` is over.
    pub(crate) fn order(&self, order: Order) -> Result<(), Order> {
        self.mailbox.order(&self.token, order)
    }

    /// Returns whether the fiber's `run` is over.
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
        // There may be a deadlock now, so the scheduler must check again. (This drop and the
        // scheduler's announcement that it sleeps: the one that comes second sees the other, see
        // `collections/publish.rs`.)
        if self.token.release() {
            self.mailbox.nudge();
        }
    }
}
