//! One who waits at a lock, a fiber of any scheduler or a plain thread, and the wait itself.
//!
//! ```text
//!   queue of the lock ---> Arc< Waiter: ticket, owner, extra > <--- frame of the one who waits
//! ```
//!
//! Invariants:
//! - A waiter is claimed under the lock of the queue in which it stands, by whoever serves it or by
//!   itself when it gives up. So who serves may first write down what is to hold when it runs.
//! - Withdrawing takes it out of the queue and gives the others what it kept from them, also when
//!   its fiber never runs again: whoever withdraws a wait goes through its [`Site`].
//! - No queue is locked across a wait, nor while user code runs.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::sched::lowlevel::{
    Holder, Interrupt, Needs, OutcomeCell, OutsideWait, Owner, Parker, Ticket, WaitOutcome,
    WaitReason, clock_now, current_fiber, scheduler, spend, try_current_fiber, wait_for_others,
};

pub(super) use crate::sched::lowlevel::locked;

/// One who waits, with what it asks for.
pub(super) struct Waiter<X = ()> {
    party: Party,
    owner: Owner,
    /// Where it stands in its queue. Read and written under the lock of that.
    place: AtomicU64,
    pub(super) extra: X,
}

enum Party {
    Fiber(Ticket),
    Thread { outcome: OutcomeCell, parker: Parker },
}

impl<X> Waiter<X> {
    /// A waiter for the running fiber, or this thread.
    pub(super) fn new(extra: X) -> Waiter<X> {
        let party = match try_current_fiber() {
            Some(current) => Party::Fiber(Ticket::new(current)),
            None => Party::Thread { outcome: OutcomeCell::new(), parker: Parker::new() },
        };
        Waiter { party, owner: Owner::me(), place: AtomicU64::new(0), extra }
    }

    pub(super) fn owner(&self) -> Owner {
        self.owner
    }

    /// Ends the wait with `outcome`. Returns whether it was this call that ended it.
    #[must_use]
    pub(super) fn claim(&self, outcome: WaitOutcome) -> bool {
        match &self.party {
            Party::Fiber(ticket) => ticket.claim(outcome),
            Party::Thread { outcome: cell, .. } => cell.claim(outcome),
        }
    }

    /// Whether it was neither served nor withdrawn.
    pub(super) fn waits(&self) -> bool {
        self.outcome() == WaitOutcome::Waiting
    }

    fn outcome(&self) -> WaitOutcome {
        match &self.party {
            Party::Fiber(ticket) => ticket.outcome(),
            Party::Thread { outcome, .. } => outcome.get(),
        }
    }

    /// Lets it go on, now that its wait is over. Not to be called under the lock of a queue.
    pub(super) fn wake(&self) {
        match &self.party {
            Party::Fiber(ticket) => ticket.wake(scheduler()),
            Party::Thread { parker, .. } => parker.call(),
        }
    }

    /// Who holds the lock that it waits for has changed, and its wait has not ended.
    pub(super) fn look_again(&self) {
        if let Party::Fiber(ticket) = &self.party {
            ticket.look_again(scheduler());
        }
    }

    pub(super) fn place(&self) -> u64 {
        self.place.load(Ordering::Relaxed)
    }

    pub(super) fn set_place(&self, place: u64) {
        self.place.store(place, Ordering::Relaxed);
    }
}

impl<X> fmt::Debug for Waiter<X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter")
            .field("owner", &self.owner)
            .field("outcome", &self.outcome())
            .finish()
    }
}

/// What somebody waits at.
pub(super) trait Site {
    /// What each waiter asks for.
    type Extra;

    /// Withdraws `waiter` if it still waits: claims it, takes it out, and serves those whom it kept
    /// waiting. Returns whether it was this call that ended the wait.
    fn withdraw(&self, waiter: &Waiter<Self::Extra>) -> bool;

    /// Whether it is a lock, which knows its owner.
    const IS_LOCK: bool = false;

    /// Whether something other than the fibers of this thread may end the wait of `waiter`, or has
    /// just done so. Not asked of a lock.
    fn others_exist(&self, waiter: &Waiter<Self::Extra>) -> bool {
        let _ = waiter;
        true
    }

    /// On what the end of the wait of `waiter` depends, unless it has ended. A lock looks at its owner
    /// and the fate of the waiter together, under the lock of its queue: else it would see that the
    /// waiter is the owner, and not yet that it was served.
    fn needs(&self, waiter: &Waiter<Self::Extra>) -> Option<Needs> {
        let _ = waiter;
        None
    }
}

/// Waits until the wait of `waiter`, which stands in the queue of `site`, is over; at the latest
/// `by` a deadline, by the clock of the caller.
#[cold]
#[track_caller]
pub(super) fn wait<S: Site>(
    site: &S,
    waiter: &Waiter<S::Extra>,
    by: Option<Instant>,
    reason: &'static WaitReason,
) -> Result<WaitOutcome, Interrupt> {
    match &waiter.party {
        Party::Fiber(ticket) => {
            let current = current_fiber();
            let by = by.map(|at| current.sched.micros_at(at));
            wait_for_others(current, &FiberWait { site, waiter, ticket }, by, reason)
        }
        Party::Thread { outcome, parker } => wait_on_thread(site, waiter, (outcome, parker), by),
    }
}

fn wait_on_thread<S: Site>(
    site: &S,
    waiter: &Waiter<S::Extra>,
    (outcome, parker): (&OutcomeCell, &Parker),
    by: Option<Instant>,
) -> Result<WaitOutcome, Interrupt> {
    loop {
        match outcome.get() {
            WaitOutcome::Waiting => {}
            outcome => return Ok(outcome),
        }
        let Some(by) = by else {
            parker.wait(None);
            continue;
        };
        let left = by.saturating_duration_since(clock_now());
        if !left.is_zero() {
            parker.wait(Some(left));
        } else if site.withdraw(waiter) {
            return Err(Interrupt::TimedOut);
        }
    }
}

struct FiberWait<'a, S: Site> {
    site: &'a S,
    waiter: &'a Waiter<S::Extra>,
    ticket: &'a Ticket,
}

impl<S: Site> OutsideWait for FiberWait<'_, S> {
    fn ticket(&self) -> &Ticket {
        self.ticket
    }

    fn claim(&self, outcome: WaitOutcome) -> bool {
        debug_assert_eq!(
            outcome,
            WaitOutcome::Withdrawn,
            "others serve a waiter, and not its wait"
        );
        self.site.withdraw(self.waiter)
    }

    fn others_exist(&self) -> bool {
        if !S::IS_LOCK {
            return self.site.others_exist(self.waiter);
        }
        self.needs().is_none_or(|needs| needs.may_be_met_elsewhere())
    }

    fn is_for_a_lock(&self) -> bool {
        S::IS_LOCK
    }

    fn holder(&self) -> Option<Holder> {
        self.needs().map(|needs| needs.holder)
    }

    fn needs(&self) -> Option<Needs> {
        self.site.needs(self.waiter)
    }
}

/// Counts a call that may wait as an operation of its fiber: one that never has to wait lets others run,
/// too. It comes before the call takes anything, as it is a kill point when the budget is spent.
#[inline]
#[track_caller]
pub(super) fn count_operation() {
    if let Some(current) = try_current_fiber() {
        spend(current);
    }
}

/// Those who were served under the lock of a queue and are woken when it is released.
pub(super) struct Served<X = ()> {
    first: Option<Arc<Waiter<X>>>,
    rest: Vec<Arc<Waiter<X>>>,
}

impl<X> Served<X> {
    pub(super) const fn none() -> Served<X> {
        Served { first: None, rest: Vec::new() }
    }

    pub(super) fn is_none(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn push(&mut self, waiter: Arc<Waiter<X>>) {
        match self.first {
            None => self.first = Some(waiter),
            Some(_) => self.rest.push(waiter),
        }
    }

    /// Wakes them in the order in which they were served.
    pub(super) fn wake(self) {
        self.first.iter().chain(&self.rest).for_each(|waiter| waiter.wake());
    }
}

/// Wakes those who were served together.
pub(super) fn wake_all<X>(served: &[Arc<Waiter<X>>]) {
    served.iter().for_each(|waiter| waiter.wake());
}
