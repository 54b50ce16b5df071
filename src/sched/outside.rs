//! Waits that another thread may complete: the ticket that both sides hold, and the wait itself.
//!
//! ```text
//!              claim(Served), by a partner            the fiber returns what it was given
//!   [Waiting] ---------------------------> [Served]
//!       |  \_ claim(Closed) -------------> [Closed]
//!       \____ claim(Withdrawn) ----------> [Withdrawn]   by its own thread, before it is interrupted
//! ```
//!
//! Invariants:
//! - A ticket leaves `Waiting` once, by one compare-and-swap: either the partner has it, or the
//!   fiber that is interrupted. So nothing is handed to a fiber that will not take it.
//! - A fiber withdraws before anything is raised in it: a kill, a bomb, a deadline, a deadlock. If
//!   it comes too late the wait is completed, and that beats the interrupt.
//! - Other threads hold the ticket and the fiber's key, never an address of its record or stack.
//! - The scheduler lists these waits for as long as they last: to tell a deadlock from a wait for
//!   another thread, and to withdraw a fiber that is thrown at or never runs again.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::collections::slot_table::Key;
use crate::fiber::header::FiberPtr;
use crate::fiber::state::WaitReason;
use crate::sched::interrupt::{self, Interrupt};
use crate::sched::mailbox::{Mail, Mailbox};
use crate::sched::park::leave;
use crate::sched::scheduler::{Here, Scheduler, SchedulerPtr};
use crate::sched::timers::Deadline;

/// How a wait came out.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Fate {
    Waiting,
    /// A partner has come.
    Served,
    /// What it waited at was closed under it.
    Closed,
    /// The fiber has given it up.
    Withdrawn,
}

/// One wait of one fiber.
pub(crate) struct Ticket {
    fate: AtomicU8,
    scheduler: u32,
    key: Key,
    mailbox: Arc<Mailbox>,
}

impl Ticket {
    /// A ticket of the running fiber.
    pub(crate) fn new(here: Here) -> Ticket {
        Ticket {
            fate: AtomicU8::new(Fate::Waiting as u8),
            scheduler: here.sched.id,
            key: here.fiber.key.get(),
            mailbox: here.sched.mailbox.clone(),
        }
    }

    /// Ends the wait with `fate`. Returns whether it was this call that ended it.
    #[must_use]
    pub(crate) fn claim(&self, fate: Fate) -> bool {
        let (from, to) = (Fate::Waiting as u8, fate as u8);
        self.fate.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    pub(crate) fn fate(&self) -> Fate {
        let fates = [Fate::Waiting, Fate::Served, Fate::Closed, Fate::Withdrawn];
        fates[usize::from(self.fate.load(Ordering::Acquire))]
    }

    /// Whether the wait has come to what it was for.
    fn is_completed(&self) -> bool {
        matches!(self.fate(), Fate::Served | Fate::Closed)
    }

    /// Whether the fiber is one of `sched`.
    pub(crate) fn is_of(&self, sched: &Scheduler) -> bool {
        self.scheduler == sched.id
    }

    /// The fiber, if it is one of `sched` and lives.
    pub(crate) fn fiber_in(&self, sched: &Scheduler) -> Option<FiberPtr> {
        if self.is_of(sched) { sched.fiber_of(self.key) } else { None }
    }

    /// Makes the fiber ready, behind all that can run on its thread (S-192).
    pub(crate) fn wake(&self, sched: Option<SchedulerPtr>) {
        match sched.filter(|sched| self.is_of(sched)) {
            Some(sched) => {
                if let Some(fiber) = sched.fiber_of(self.key) {
                    sched.make_ready(fiber);
                }
            }
            None => self.mailbox.post(Mail::Wake(self.key)),
        }
    }

    /// Makes the fiber's scheduler look again whether its wait can end.
    pub(crate) fn nudge(&self) {
        self.mailbox.nudge();
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("fate", &self.fate()).finish_non_exhaustive()
    }
}

/// What a scheduler asks of a wait that others may complete.
pub(crate) trait OutsideWait: Send + Sync + fmt::Debug {
    fn ticket(&self) -> &Ticket;

    /// Ends the wait with `fate`, as [`Ticket::claim`], and keeps the books of what it waits at.
    fn claim(&self, fate: Fate) -> bool;

    /// Whether somebody is left who could complete it.
    fn others_exist(&self) -> bool;
}

/// Waits until `wait` is over, at the latest `by` a deadline. The caller has put it where partners
/// find it. What the wait brought, or has left over, is the caller's to take.
#[track_caller]
pub(crate) fn wait_for_others<W: OutsideWait + 'static>(
    here: Here,
    wait: &Arc<W>,
    by: Option<u64>,
    reason: &'static WaitReason,
) -> Result<Fate, Interrupt> {
    debug_assert!(reason.outsiders, "its wake would not reach it");
    let _listed = Listed::new(here, wait.clone());
    let _deadline = by.map(|at| Deadline::arm(here, at));
    while !wait.ticket().is_completed() {
        if !here.fiber.attention.get().is_none() {
            if interrupt::is_coming(here) && !give_up(&**wait) {
                break;
            }
            interrupt::before_wait(here, reason)?;
        }
        leave(here, reason);
    }
    if !here.fiber.attention.get().is_none() {
        interrupt::wait_completed(here.fiber);
    }
    Ok(wait.ticket().fate())
}

/// Withdraws `wait`, if it is not completed. Returns whether it is withdrawn now.
fn give_up(wait: &dyn OutsideWait) -> bool {
    wait.claim(Fate::Withdrawn) || !wait.ticket().is_completed()
}

/// A wait that its scheduler knows of for as long as this lives.
struct Listed(Here);

impl Listed {
    fn new(here: Here, wait: Arc<dyn OutsideWait>) -> Listed {
        let key = here.sched.outside.borrow_mut().insert(wait);
        here.fiber.with_extra(|extra| extra.outside = Some(key));
        Listed(here)
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        drop(self.0.sched.unlist(self.0.fiber));
    }
}

impl Scheduler {
    /// Whether another thread may complete one of the waits.
    pub(crate) fn others_may_complete(&self) -> bool {
        let outside = self.outside.borrow();
        outside.iter().any(|(_, wait)| {
            // A fiber that was paused in the middle of its wait is not woken by what it waits for.
            let fiber = self.fiber_of(wait.ticket().key);
            fiber.is_some_and(|fiber| fiber.reason.get().outsiders) && wait.others_exist()
        })
    }

    /// Nothing is handed to `fiber` any more: it never runs again, or has something to raise where
    /// it waits.
    pub(crate) fn withdraw_outside(&self, fiber: FiberPtr) {
        if let Some(wait) = self.unlist(fiber) {
            // Too late is as good: what it was given stays with it.
            let _ = wait.claim(Fate::Withdrawn);
        }
    }

    /// Takes the wait of `fiber`, if it is in one, off the list.
    fn unlist(&self, fiber: FiberPtr) -> Option<Arc<dyn OutsideWait>> {
        if !fiber.extra_exists() {
            return None;
        }
        let key = fiber.with_extra(|extra| extra.outside.take())?;
        self.outside.borrow_mut().remove(key)
    }
}
