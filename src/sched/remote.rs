//! How other threads reach a fiber: they hold a key and a mailbox, and never its record.
//!
//! Invariants:
//! - What crosses threads is a key (an index and a generation). A key whose fiber has ended
//!   reaches nothing.
//! - A scheduler knows which of its fibers others may still wake: each has a token that its
//!   unparkers share. That is what tells a deadlock from a wait for another thread.

use std::fmt;
use std::sync::{Arc, Weak};

use crate::collections::slot_table::Key;
use crate::fiber::extra::Extra;
use crate::fiber::header::FiberPtr;
use crate::fiber::id::FiberId;
use crate::fiber::state::State;
use crate::sched::mailbox::{Mail, Mailbox, Order};
use crate::sched::park::PARK;
use crate::sched::scheduler::{Scheduler, SchedulerPtr, here};

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
    pub fn unpark(&self) {
        self.address.mailbox.post(Mail::Unpark(self.address.key));
    }

    /// The fiber that it wakes.
    #[must_use]
    pub fn id(&self) -> FiberId {
        self.address.id
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
    Unparker { address: Address::new(here().sched, fiber, Reach::Unpark) }
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
    key: Key,
    id: FiberId,
    /// `None` while dropping, and if the fiber had ended already.
    token: Option<Arc<()>>,
}

impl Address {
    /// The address of `fiber`, which is one of `sched`, or has ended.
    pub(crate) fn new(sched: SchedulerPtr, fiber: FiberPtr, reach: Reach) -> Address {
        let mailbox = sched.mailbox.clone();
        if matches!(fiber.state.get(), State::Finished | State::Retired) {
            // Its key may belong to another fiber by now, if its `run` is over.
            return Address { mailbox, key: Key::from_bits(0), id: fiber.id(), token: None };
        }
        let known = fiber.with_extra(|extra| place(extra, reach).as_ref().and_then(Weak::upgrade));
        let token = known.unwrap_or_else(|| {
            let token = Arc::new(());
            let (is_listed, weak) = (is_reachable(fiber), Arc::downgrade(&token));
            fiber.with_extra(|extra| *place(extra, reach) = Some(weak));
            if !is_listed {
                sched.reachable.borrow_mut().push(fiber.key.get());
            }
            token
        });
        Address { mailbox, key: fiber.key.get(), id: fiber.id(), token: Some(token) }
    }

    /// Asks something of the fiber. The order comes back if its `run` is over.
    pub(crate) fn order(&self, order: Order) -> Result<(), Order> {
        self.mailbox.post_order(self.key, order)
    }

    /// Whether its `run` is over.
    pub(crate) fn is_gone(&self) -> bool {
        self.mailbox.inbox.is_closed()
    }

    pub(crate) fn id(&self) -> FiberId {
        self.id
    }
}

impl Clone for Address {
    fn clone(&self) -> Address {
        Address {
            mailbox: self.mailbox.clone(),
            key: self.key,
            id: self.id,
            token: self.token.clone(),
        }
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        // The token goes first: when the scheduler looks, it must not count this one any more.
        self.token = None;
        self.mailbox.nudge();
    }
}

/// Where the token is kept that the addresses of one reach share.
fn place(extra: &mut Extra, reach: Reach) -> &mut Option<Weak<()>> {
    match reach {
        Reach::Unpark => &mut extra.unparkers,
        Reach::Command => &mut extra.commanders,
    }
}

/// Whether the scheduler knows that others may reach `fiber`.
fn is_reachable(fiber: FiberPtr) -> bool {
    let known = |extra: &Extra| extra.unparkers.is_some() || extra.commanders.is_some();
    fiber.peek_extra(known).unwrap_or(false)
}

/// Forgets the token of this reach if nobody holds it any more. Returns whether somebody does.
fn is_held(extra: &mut Extra, reach: Reach) -> bool {
    let place = place(extra, reach);
    if place.as_ref().is_some_and(|token| token.strong_count() == 0) {
        *place = None;
    }
    place.is_some()
}

impl Scheduler {
    /// Whether another thread may yet wake a fiber that waits now, or has just done so. Forgets those
    /// that are gone.
    pub(crate) fn outsiders_may_wake(&self) -> bool {
        // The mail is looked at last: whoever is gone by now has posted before it went.
        self.addresses_exist() || self.others_may_complete() || !self.mailbox.inbox.is_empty()
    }

    /// As [`outsiders_may_wake`](Scheduler::outsiders_may_wake), but not by the release of a lock.
    pub(crate) fn outsiders_may_wake_without_locks(&self) -> bool {
        self.addresses_exist()
            || self.others_may_complete_no_lock()
            || !self.mailbox.inbox.is_empty()
    }

    fn addresses_exist(&self) -> bool {
        let table = self.table.borrow();
        let mut any = false;
        self.reachable.borrow_mut().retain(|&key| {
            let Some(fiber) = table.get(key) else { return false };
            let by_unpark = fiber.with_extra(|extra| is_held(extra, Reach::Unpark));
            let by_command = fiber.with_extra(|extra| is_held(extra, Reach::Command));
            // An unpark ends no wait but `park`.
            any |= by_command || by_unpark && std::ptr::eq(fiber.reason.get(), &PARK);
            by_unpark || by_command
        });
        any
    }
}
