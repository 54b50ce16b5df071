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
//!   another thread, to name the owners of locks, and to withdraw a fiber that is thrown at or never
//!   runs again.

#![allow(unsafe_code, reason = "lists waits that lie on the stacks of waiting fibers")]

use std::cell::Cell;
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::collections::slot_table::Key;
use crate::fiber::header::FiberPtr;
use crate::fiber::state::WaitReason;
use crate::sched::core::choose;
use crate::sched::core::interrupt::{self, Interrupt};
use crate::sched::core::park::{leave, leave_for_real};
use crate::sched::core::scheduler::{Here, Scheduler, SchedulerPtr};
use crate::sched::deadlock::lock_graph::{Holder, Needs};
use crate::sched::shared::mailbox::{Mail, Mailbox};
use crate::sched::shared::owner::Owner;
use crate::sched::shared::registry;
use crate::sched::time::timers::Deadline;

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

/// How a wait has come out so far. It changes once.
#[derive(Debug)]
pub(crate) struct FateCell(AtomicU8);

impl FateCell {
    pub(crate) fn new() -> FateCell {
        FateCell(AtomicU8::new(Fate::Waiting as u8))
    }

    /// Ends the wait with `fate`. Returns whether it was this call that ended it.
    #[must_use]
    pub(crate) fn claim(&self, fate: Fate) -> bool {
        let (from, to) = (Fate::Waiting as u8, fate as u8);
        self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    pub(crate) fn get(&self) -> Fate {
        let fates = [Fate::Waiting, Fate::Served, Fate::Closed, Fate::Withdrawn];
        fates[usize::from(self.0.load(Ordering::Acquire))]
    }
}

/// One wait of one fiber.
pub(crate) struct Ticket {
    fate: FateCell,
    scheduler: u32,
    key: Key,
    mailbox: Arc<Mailbox>,
}

impl Ticket {
    /// A ticket of the running fiber.
    pub(crate) fn new(here: Here) -> Ticket {
        Ticket {
            fate: FateCell::new(),
            scheduler: here.sched.id,
            key: here.fiber.key.get(),
            mailbox: here.sched.mailbox.clone(),
        }
    }

    /// Ends the wait with `fate`. Returns whether it was this call that ended it.
    #[must_use]
    pub(crate) fn claim(&self, fate: Fate) -> bool {
        self.fate.claim(fate)
    }

    pub(crate) fn fate(&self) -> Fate {
        self.fate.get()
    }

    /// Whether the wait has come to what it was for.
    fn is_completed(&self) -> bool {
        matches!(self.fate(), Fate::Served | Fate::Closed)
    }

    pub(crate) fn key(&self) -> Key {
        self.key
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

    /// Who holds the lock that the fiber waits for has changed, and its wait has not ended.
    pub(crate) fn look_again(&self, sched: Option<SchedulerPtr>) {
        match sched.filter(|sched| self.is_of(sched)) {
            Some(sched) => sched.circles.wait_began(),
            None => registry::ask(self.scheduler),
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("fate", &self.fate()).finish_non_exhaustive()
    }
}

/// What a scheduler asks of a wait that others may complete.
pub(crate) trait OutsideWait {
    fn ticket(&self) -> &Ticket;

    /// Ends the wait with `fate`, as [`Ticket::claim`], and keeps the books of what it waits at.
    fn claim(&self, fate: Fate) -> bool;

    /// Whether somebody is left who could complete it.
    fn others_exist(&self) -> bool;

    /// Whether it is for a lock.
    fn is_for_a_lock(&self) -> bool {
        false
    }

    /// Who holds it, if it is for a lock.
    fn holder(&self) -> Option<Holder> {
        None
    }

    /// On what its end depends, if it is for a lock and has not ended.
    fn needs(&self) -> Option<Needs> {
        None
    }
}

/// Waits until `wait` is over, at the latest `by` a deadline. The caller has put it where partners
/// find it. What the wait brought, or has left over, is the caller's to take.
#[track_caller]
pub(crate) fn wait_for_others(
    here: Here,
    wait: &dyn OutsideWait,
    by: Option<u64>,
    reason: &'static WaitReason,
) -> Result<Fate, Interrupt> {
    debug_assert!(reason.outsiders, "its wake would not reach it");
    // SAFETY: the value is dropped at the end of this function, also by an unwind, and nobody else
    // has it.
    let _listed = unsafe { Listed::new(here, wait) };
    let _deadline = by.map(|at| Deadline::arm(here, at));
    while !wait.ticket().is_completed() {
        if !here.fiber.attention.get().is_none() {
            if interrupt::is_coming(here, reason) && !give_up(wait) {
                break;
            }
            interrupt::before_wait(here, reason)?;
        }
        if reason.real {
            leave_for_real(here, reason);
        } else {
            leave(here, reason);
        }
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

/// The address of a wait on the stack of a fiber that waits.
#[derive(Debug)]
pub(crate) struct ListedWait {
    wait: *const (dyn OutsideWait + 'static),
    /// Whether the registry has it.
    pub(crate) posted: Cell<bool>,
}

impl ListedWait {
    pub(crate) fn wait(&self) -> &dyn OutsideWait {
        // SAFETY: this is stored in a scheduler's list and used while it is there, or directly
        // after it was taken out, on the scheduler's own thread. `Listed` takes it out before the
        // wait goes. A fiber that is never resumed keeps its stack, and with it the wait.
        unsafe { &*self.wait }
    }
}

/// A wait that its scheduler knows of for as long as this lives.
struct Listed(Here);

impl Listed {
    /// # Safety
    ///
    /// The result must be dropped before `wait` goes, unless the fiber is never resumed again.
    unsafe fn new(here: Here, wait: &dyn OutsideWait) -> Listed {
        // SAFETY: this changes the lifetime only, and the caller promises that the address is
        // taken out of the list before that ends.
        let wait = unsafe { mem::transmute::<&dyn OutsideWait, &'static dyn OutsideWait>(wait) };
        if wait.is_for_a_lock() {
            here.sched.circles.wait_began();
        }
        let listed = ListedWait { wait, posted: Cell::new(false) };
        let key = here.sched.outside.borrow_mut().insert(listed);
        here.fiber.with_extra(|extra| extra.outside = Some(key));
        Listed(here)
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.0.sched.unlist(self.0.fiber);
    }
}

impl Scheduler {
    /// A wait that another thread may complete.
    pub(crate) fn find_outside(&self) -> Option<Key> {
        let outside = self.outside.borrow();
        let mut all = outside.iter();
        all.find(|(_, listed)| self.is_open(listed.wait())).map(|(key, _)| key)
    }

    /// Whether another thread may complete the wait of that place in the list, if it is still there.
    pub(crate) fn others_may_complete(&self, key: Key) -> bool {
        self.outside.borrow().get(key).is_some_and(|listed| self.is_open(listed.wait()))
    }

    fn is_open(&self, wait: &dyn OutsideWait) -> bool {
        self.is_in(wait) && wait.others_exist()
    }

    /// Whether another thread may complete one of the waits that are not for locks.
    pub(crate) fn others_may_complete_no_lock(&self) -> bool {
        let may_end = |wait: &dyn OutsideWait| {
            !wait.is_for_a_lock() && self.is_in(wait) && wait.others_exist()
        };
        choose::find_shared(self).is_some()
            || self.outside.borrow().iter().any(|(_, listed)| may_end(listed.wait()))
    }

    /// Whether a fiber waits for a lock that is held elsewhere.
    pub(crate) fn is_kept_from_elsewhere(&self) -> bool {
        let outside = self.outside.borrow();
        let mut waits = outside.iter().map(|(_, listed)| listed.wait());
        waits.any(|wait| wait.is_for_a_lock() && self.is_in(wait) && wait.others_exist())
    }

    /// Whether the fiber of `wait` waits for it. One that was paused in the middle of its wait is
    /// not woken by what it waits for.
    pub(crate) fn is_in(&self, wait: &dyn OutsideWait) -> bool {
        self.fiber_of(wait.ticket().key).is_some_and(|fiber| fiber.reason.get().outsiders)
    }

    /// The fibers that wait for locks, and who holds those.
    pub(crate) fn waits_for_locks(&self) -> Vec<(FiberPtr, Holder)> {
        let outside = self.outside.borrow();
        let waits = outside.iter().map(|(_, listed)| listed.wait());
        let of_a_lock = |wait: &dyn OutsideWait| {
            let fiber = self.fiber_of(wait.ticket().key)?;
            Some((fiber, wait.holder()?))
        };
        waits.filter(|wait| self.is_in(*wait)).filter_map(of_a_lock).collect()
    }

    /// Nothing is handed to `fiber` any more: it never runs again, or has something to raise where
    /// it waits.
    pub(crate) fn withdraw_outside(&self, fiber: FiberPtr) {
        if let Some(listed) = self.unlist(fiber) {
            // Too late is as good: what it was given stays with it.
            let _ = listed.wait().claim(Fate::Withdrawn);
        }
    }

    /// Takes the wait of `fiber`, if it is in one, off the list.
    fn unlist(&self, fiber: FiberPtr) -> Option<ListedWait> {
        if !fiber.extra_exists() {
            return None;
        }
        let key = fiber.with_extra(|extra| extra.outside.take())?;
        let listed = self.outside.borrow_mut().remove(key)?;
        if listed.posted.get() {
            registry::withdraw(Owner::of_fiber(fiber.id()));
        }
        Some(listed)
    }
}
