//! How other threads reach a fiber: they hold a key and a mailbox, and never its record.
//!
//! Invariants:
//! - What crosses threads is a key (an index and a generation). A key whose fiber has ended
//!   reaches nothing.
//! - A scheduler knows which of its fibers others may still wake: each has a token that its
//!   unparkers share. That is what tells a deadlock from a wait for another thread.

use std::fmt;
use std::sync::{Arc, Weak};

use crate::collections::inbox::Inbox;
use crate::collections::slot_table::Key;
use crate::fiber::header::FiberPtr;
use crate::fiber::id::FiberId;
use crate::fiber::state::State;
use crate::sched::idle::Wake;
use crate::sched::scheduler::{Scheduler, here};

/// The way into a scheduler from other threads.
#[derive(Debug)]
pub(crate) struct Mailbox {
    pub(crate) inbox: Inbox<Key>,
    waker: Arc<dyn Wake>,
}

impl Mailbox {
    pub(crate) fn new(waker: Arc<dyn Wake>) -> Mailbox {
        Mailbox { inbox: Inbox::new(), waker }
    }

    fn post(&self, key: Key) {
        if self.inbox.push(key) {
            self.waker.wake();
        }
    }

    /// Makes a sleeping scheduler look around once.
    fn nudge(&self) {
        if self.inbox.claim_wake() {
            self.waker.wake();
        }
    }
}

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
pub struct Unparker {
    mailbox: Arc<Mailbox>,
    key: Key,
    id: FiberId,
    /// `None` while dropping, and if the fiber had ended already.
    token: Option<Arc<()>>,
}

impl Unparker {
    /// Lets the fiber's present `park`, or if it is not in one its next, return.
    pub fn unpark(&self) {
        self.mailbox.post(self.key);
    }

    /// The fiber that it wakes.
    #[must_use]
    pub fn id(&self) -> FiberId {
        self.id
    }
}

impl Clone for Unparker {
    fn clone(&self) -> Unparker {
        Unparker {
            mailbox: self.mailbox.clone(),
            key: self.key,
            id: self.id,
            token: self.token.clone(),
        }
    }
}

impl Drop for Unparker {
    fn drop(&mut self) {
        // The token goes first: when the scheduler looks, it must not count this one any more.
        self.token = None;
        self.mailbox.nudge();
    }
}

impl fmt::Debug for Unparker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unparker").field("fiber", &self.id).finish_non_exhaustive()
    }
}

/// An unparker for `fiber`, which is of this thread's scheduler, or has ended.
#[track_caller]
pub(crate) fn unparker(fiber: FiberPtr) -> Unparker {
    let sched = here().sched;
    if matches!(fiber.state.get(), State::Finished | State::Retired) {
        // Its key may belong to another fiber by now, if its `run` is over.
        let key = Key::from_bits(0);
        return Unparker { mailbox: sched.mailbox.clone(), key, id: fiber.id(), token: None };
    }
    let known = fiber.with_extra(|extra| extra.remote.as_ref().and_then(Weak::upgrade));
    let token = known.unwrap_or_else(|| {
        let token = Arc::new(());
        let before = fiber.with_extra(|extra| extra.remote.replace(Arc::downgrade(&token)));
        if before.is_none() {
            sched.reachable.borrow_mut().push(fiber.key.get());
        }
        token
    });
    Unparker {
        mailbox: sched.mailbox.clone(),
        key: fiber.key.get(),
        id: fiber.id(),
        token: Some(token),
    }
}

impl Scheduler {
    /// Delivers what other threads have posted.
    pub(crate) fn open_mail(&self) {
        while let Some(key) = self.mailbox.inbox.pop() {
            let fiber = self.table.borrow().get(key).copied();
            if let Some(fiber) = fiber {
                self.unpark(fiber);
            }
        }
    }

    /// Whether another thread may yet wake a fiber that waits now. Forgets those that are gone.
    pub(crate) fn outsiders_may_wake(&self) -> bool {
        let table = self.table.borrow();
        let mut any = false;
        self.reachable.borrow_mut().retain(|&key| {
            let Some(fiber) = table.get(key) else { return false };
            let held = fiber
                .peek_extra(|extra| extra.remote.as_ref().is_some_and(|r| r.strong_count() != 0));
            let held = held.unwrap_or(false);
            any |= held && fiber.reason.get().outsiders;
            if !held {
                fiber.with_extra(|extra| extra.remote = None);
            }
            held
        });
        any
    }
}
