//! A waiter at a lock or another primitive, which is a fiber of any scheduler, a plain thread, or a
//! task (see `task.rs`); and the wait itself.
//!
//! ```text
//!   queue of the lock ---> Arc< Waiter: ticket, owner, extra > <--- frame of the wait
//! ```
//!
//! Invariants:
//! - A waiter is claimed under the lock of its queue, either by the code that serves it or by the
//!   waiter itself when it gives up. So the code that serves it may first store all state that must
//!   hold when the waiter runs.
//! - Withdrawing a waiter takes it out of the queue and serves the others that it held up, even if
//!   its fiber never runs again: every withdrawal goes through the [`Site`].
//! - No queue is locked across a wait, nor while user code runs.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::sched::lowlevel::{
    Holder, Interrupt, Needs, OutcomeCell, OutsideWait, Owner, Parker, Ticket, WaitOutcome,
    WaitReason, clock_now, current_fiber, scheduler, spend, try_current_fiber, wait_for_others,
};

pub(super) use crate::sched::lowlevel::locked;
use crate::sync::task::Task;

/// A waiting fiber, thread or task, with its request.
pub(super) struct Waiter<X = ()> {
    party: Party,
    owner: Owner,
    /// Its place in its queue. Read and written under the lock of the queue.
    place: AtomicU64,
    /// The time since which others may overtake it, in microseconds; or 0. Used under the lock of
    /// the queue.
    since: AtomicU64,
    pub(super) extra: X,
}

enum Party {
    Fiber(Ticket),
    /// A fiber in a `select!`: all its waiters share the ticket, and `outcome` is that of this one.
    Choice {
        ticket: Arc<Ticket>,
        outcome: OutcomeCell,
    },
    Thread {
        outcome: OutcomeCell,
        parker: Parker,
    },
    /// A future. It is boxed, because the waiters of fibers are many.
    Task(Box<Task>),
}

impl<X> Waiter<X> {
    /// Creates a waiter for the current fiber, or for this thread if no fiber runs on it.
    pub(super) fn new(extra: X) -> Waiter<X> {
        let (party, owner) = match try_current_fiber() {
            Some(current) => {
                (Party::Fiber(Ticket::new(current)), Owner::of_fiber(current.fiber.id()))
            }
            None => {
                let party = Party::Thread { outcome: OutcomeCell::new(), parker: Parker::new() };
                (party, Owner::this_thread())
            }
        };
        Waiter::of_party(party, owner, extra)
    }

    /// Creates one of the waiters of a choice of the current fiber.
    pub(super) fn of_choice(ticket: Arc<Ticket>, extra: X) -> Waiter<X> {
        let party = Party::Choice { ticket, outcome: OutcomeCell::new() };
        Waiter::of_party(party, Owner::me(), extra)
    }

    /// Creates a waiter for a future that was polled with `waker`.
    pub(super) fn of_task(waker: Waker, extra: X) -> Waiter<X> {
        let party = Party::Task(Box::new(Task::new(waker)));
        Waiter::of_party(party, Owner::TASK, extra)
    }

    fn of_party(party: Party, owner: Owner, extra: X) -> Waiter<X> {
        let [place, since] = [0, 0].map(AtomicU64::new);
        Waiter { party, owner, place, since, extra }
    }

    /// Returns the task, if it is one.
    pub(super) fn task(&self) -> Option<&Task> {
        match &self.party {
            Party::Task(task) => Some(task),
            _ => None,
        }
    }

    /// Returns whether this is a waiter of the choice with that ticket.
    pub(super) fn is_of_choice(&self, of: &Arc<Ticket>) -> bool {
        matches!(&self.party, Party::Choice { ticket, .. } if Arc::ptr_eq(ticket, of))
    }

    /// Ends the wait of this waiter of a choice, but not that of the choice, which was not served:
    /// it may be possible now.
    pub(super) fn tell_to_try_again(&self) {
        if let Party::Choice { outcome, .. } = &self.party {
            let _ = outcome.claim(WaitOutcome::Withdrawn);
        }
    }

    pub(super) fn owner(&self) -> Owner {
        self.owner
    }

    /// Ends the wait with `outcome`. Returns whether it was this call that ended it.
    #[must_use]
    pub(super) fn claim(&self, outcome: WaitOutcome) -> bool {
        match &self.party {
            Party::Fiber(ticket) => ticket.claim(outcome),
            Party::Choice { ticket, outcome: cell } => ticket.claim(outcome) && cell.claim(outcome),
            Party::Thread { outcome: cell, .. } => cell.claim(outcome),
            Party::Task(task) => task.outcome.claim(outcome),
        }
    }

    /// Ends the wait with [`WaitOutcome::Served`]. Returns whether it was this call that ended it.
    /// The caller has locked the queue, and nothing claims the waiters of that queue otherwise.
    #[must_use]
    pub(super) fn serve(&self) -> bool {
        match &self.party {
            Party::Fiber(ticket) => ticket.claim_alone(WaitOutcome::Served),
            // Partners in the queues of other arms may claim the ticket at the same time.
            Party::Choice { .. } => self.claim(WaitOutcome::Served),
            Party::Thread { outcome: cell, .. } => cell.claim_alone(WaitOutcome::Served),
            Party::Task(task) => task.outcome.claim_alone(WaitOutcome::Served),
        }
    }

    /// Returns whether the wait has not ended: it was not served, closed or withdrawn.
    pub(super) fn waits(&self) -> bool {
        self.outcome() == WaitOutcome::Waiting
    }

    fn outcome(&self) -> WaitOutcome {
        match &self.party {
            Party::Fiber(ticket) => ticket.outcome(),
            Party::Choice { outcome, .. } | Party::Thread { outcome, .. } => outcome.get(),
            Party::Task(task) => task.outcome.get(),
        }
    }

    /// Resumes the fiber, thread or task, after its wait has ended. Must not be called under the
    /// lock of a queue.
    pub(super) fn wake(&self) {
        match &self.party {
            Party::Fiber(ticket) => ticket.wake(scheduler()),
            Party::Choice { ticket, .. } => ticket.wake(scheduler()),
            Party::Thread { parker, .. } => parker.call(),
            Party::Task(task) => task.wake(),
        }
    }

    /// Returns whether it is a fiber of the scheduler of this thread.
    pub(super) fn is_near(&self) -> bool {
        match &self.party {
            Party::Fiber(ticket) => scheduler().is_some_and(|sched| ticket.is_of(&sched)),
            Party::Choice { ticket, .. } => scheduler().is_some_and(|sched| ticket.is_of(&sched)),
            Party::Thread { .. } | Party::Task(_) => false,
        }
    }

    /// Starts its clock at `now`, in microseconds. Returns whether the clock did not run before.
    pub(super) fn start_clock(&self, now: u64) -> bool {
        let starts = self.since.load(Ordering::Relaxed) == 0;
        if starts {
            self.since.store(now, Ordering::Relaxed);
        }
        starts
    }

    /// Returns whether its clock runs.
    pub(super) fn has_clock(&self) -> bool {
        self.since.load(Ordering::Relaxed) != 0
    }

    /// Returns the time for which its clock, which was started, has run at `now`, in microseconds.
    pub(super) fn waited(&self, now: u64) -> u64 {
        now.saturating_sub(self.since.load(Ordering::Relaxed))
    }

    /// Makes the fiber's scheduler look for circles again: the holder of the lock has changed, and
    /// the wait for it has not ended.
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

/// A primitive at which fibers, threads and tasks wait.
pub(super) trait Site {
    /// The request of a waiter.
    type Extra;

    /// Withdraws `waiter` if it still waits: claims it, takes it out of the queue, and serves the
    /// waiters that it held up. Returns whether it was this call that ended the wait.
    fn withdraw(&self, waiter: &Waiter<Self::Extra>) -> bool;

    /// Lets `waiter`, which was woken although its wait has not ended, take what it waits for.
    /// Returns whether it has it now: then its wait has ended. Called by the waiter itself.
    fn compete(&self, waiter: &Waiter<Self::Extra>) -> bool {
        let _ = waiter;
        false
    }

    /// Returns the place where it was made, if it is a channel.
    fn made_at(&self) -> Option<&'static Location<'static>> {
        None
    }

    /// Whether it is a lock, which knows its owner.
    const IS_LOCK: bool = false;

    /// Returns whether something other than the fibers of this thread may end the wait of `waiter`,
    /// or has just done so. Never called for a lock.
    fn others_exist(&self, waiter: &Waiter<Self::Extra>) -> bool {
        let _ = waiter;
        true
    }

    /// Returns the owners that the end of the wait of `waiter` depends on, or `None` if it has
    /// ended.
    ///
    /// A lock must read its owner and the outcome of the wait together, under the lock of its
    /// queue. Otherwise it could see that the waiter is the owner, and not yet that the waiter was
    /// served.
    fn needs(&self, waiter: &Waiter<Self::Extra>) -> Option<Needs> {
        let _ = waiter;
        None
    }
}

/// Waits until the wait of `waiter`, which is in the queue of `site`, is over or the deadline `by`
/// has passed, by the clock of the caller.
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
        Party::Choice { .. } => unreachable!("a choice waits for all its waiters together"),
        Party::Task(_) => unreachable!("the wait of a task is polled"),
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
        let left = by.map(|by| by.saturating_duration_since(clock_now()));
        if left != Some(Duration::ZERO) {
            parker.wait(left);
            site.compete(waiter);
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

    fn compete(&self) -> bool {
        self.site.compete(self.waiter)
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

    fn made_at(&self) -> Option<&'static Location<'static>> {
        self.site.made_at()
    }

    fn holder(&self) -> Option<Holder> {
        self.needs().map(|needs| needs.holder)
    }

    fn needs(&self) -> Option<Needs> {
        self.site.needs(self.waiter)
    }
}

/// Counts a call that may wait as an operation of its fiber, so that a fiber whose calls never
/// have to wait yields to others, too. Must be called before the call takes anything, because it is
/// a kill point when the budget is spent.
#[inline]
#[track_caller]
pub(super) fn count_operation() {
    if let Some(current) = try_current_fiber() {
        spend(current);
    }
}

/// The waiters that were served under the lock of a queue, or may compete, to wake when that lock
/// is released.
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

    pub(super) fn extend(&mut self, waiters: Vec<Arc<Waiter<X>>>) {
        waiters.into_iter().for_each(|waiter| self.push(waiter));
    }

    /// Wakes them in the order in which they were served.
    pub(super) fn wake(self) {
        self.first.iter().chain(&self.rest).for_each(|waiter| waiter.wake());
    }
}

/// Wakes waiters that were served together.
pub(super) fn wake_all<X>(served: &[Arc<Waiter<X>>]) {
    served.iter().for_each(|waiter| waiter.wake());
}
