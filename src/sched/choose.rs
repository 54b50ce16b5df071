//! Waiting for the first of several things: the loop behind `select!`.
//!
//! ```text
//!   attempt each arm, from a place that moves on -- one could be done --> done
//!     none  ^
//!           +----------- another thread has changed what an arm watches
//!   enlist all --> wait --> one was completed by its partner, who has taken the others out
//!              \-> the earliest deadline has passed
//! ```
//!
//! Invariants:
//! - At most one arm is done. Either it needed no wait, and no arm was enlisted; or a partner has
//!   completed it, and has taken the others out of their lists before anybody else could serve them.
//!   Arms that nobody has to serve (the end of a fiber) are looked at after those. What other threads
//!   share is only watched: when it has changed all arms are attempted again. So no other thread ever
//!   hands anything to a fiber that may choose something else.
//! - All arms are out of their lists when this returns or unwinds.

#![allow(unsafe_code, reason = "places nodes in lists for the time of a wait")]

use crate::collections::slot_table::Key;
use crate::fiber::header::FiberPtr;
use crate::fiber::state::{OnDeadlock, State, WaitReason};
use crate::fiber::wait_list::{Enlisted, Place};
use crate::sched::interrupt::Interrupt;
use crate::sched::park::{spend, wait_until};
use crate::sched::scheduler::{Here, Scheduler, here};
use crate::sched::timers::Deadline;

static CHOOSING: WaitReason =
    WaitReason::new("waiting for the first of several things", OnDeadlock::Panic);

static CHOOSING_SHARED: WaitReason =
    WaitReason::new("waiting for the first of several things", OnDeadlock::Panic)
        .ended_by_outsiders();

/// Arms whose places in lists are kept without an allocation.
const FEW: usize = 8;

/// One of several things that a fiber waits for.
pub(crate) trait Arm {
    /// Does it now, if that needs no wait. Returns whether it is done. May be called again.
    fn attempt(&mut self, here: Here) -> bool;

    /// Where partners find it while the fiber waits. Called after `attempt`.
    fn place(&self) -> Option<Place<'_>> {
        None
    }

    /// The wait begins: lets those know who have no list.
    fn begin(&self, _here: Here) {}

    /// Whether another thread may end the wait.
    fn is_shared(&self) -> bool {
        false
    }

    /// The wait is over, if it has begun: it is out of its list, done or not.
    fn end(&self) {}

    /// How it was done, if it was, while it was enlisted.
    fn done(&self) -> Option<Done>;

    /// When it is done at the latest, in the scheduler's microseconds.
    fn deadline(&self) -> Option<u64> {
        None
    }
}

/// How an arm was done.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Done {
    /// A partner has done it: it must be the one that is chosen.
    Served,
    /// It happened, and can be looked at again.
    Happened,
    /// Perhaps it can be done now: attempt it.
    Changed,
}

/// In which order arms are looked at.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Order {
    /// From the first to the last.
    Given,
    /// From a place that moves on with each call.
    Fair,
}

/// Does the first arm that can be done, waiting until one can. Returns its place.
#[track_caller]
pub(crate) fn choose(arms: &mut [&mut dyn Arm], order: Order) -> usize {
    let here = here();
    loop {
        if let Some(chosen) = choose_now(arms, order) {
            return chosen;
        }
        if let Some(chosen) = wait(here, arms) {
            return chosen;
        }
    }
}

/// Does the first arm that can be done without waiting. Returns its place.
#[track_caller]
pub(crate) fn choose_now(arms: &mut [&mut dyn Arm], order: Order) -> Option<usize> {
    let here = here();
    spend(here);
    let count = arms.len();
    let first = match order {
        Order::Fair if 1 < count => {
            let next = here.sched.next_arm.get();
            here.sched.next_arm.set(next.wrapping_add(1));
            next % count
        }
        _ => 0,
    };
    (first..count).chain(0..first).find(|&at| arms[at].attempt(here))
}

/// Waits until one of the arms is done, or should be attempted again.
#[track_caller]
fn wait(here: Here, arms: &[&mut dyn Arm]) -> Option<usize> {
    let mut few: [Option<Enlisted<'_>>; FEW] = Default::default();
    let mut many = Vec::new();
    let shared = arms.iter().any(|arm| arm.is_shared());
    let _shared = shared.then(|| Shared::new(here));
    let _over = Over(arms);
    for (at, arm) in arms.iter().enumerate() {
        arm.begin(here);
        // SAFETY: both stores are dropped at the end of this function, also by an unwind.
        let enlisted = arm.place().map(|place| unsafe { place.enlist() });
        match few.get_mut(at) {
            Some(slot) => *slot = enlisted,
            None => many.push(enlisted),
        }
    }
    let any_done = || arms.iter().any(|arm| arm.done().is_some());
    // What is shared may have changed between the attempt and the beginning.
    if shared && any_done() {
        return chosen(arms);
    }
    let due = arms.iter().enumerate().filter_map(|(at, arm)| Some((arm.deadline()?, at))).min();
    let reason = if shared { &CHOOSING_SHARED } else { &CHOOSING };
    let waited = {
        let _deadline = due.map(|(deadline, _)| Deadline::arm(here, deadline));
        wait_until(here, reason, any_done)
    };
    match (waited, due) {
        (Ok(()), _) => chosen(arms),
        (Err(Interrupt::TimedOut), Some((_, at))) => Some(at),
        (Err(interrupt), _) => interrupt.into_panic(),
    }
}

/// The arm that was done: the one that a partner has served, if there is one. None if there is only
/// something to attempt.
fn chosen(arms: &[&mut dyn Arm]) -> Option<usize> {
    let is = |wanted: Done| arms.iter().position(|arm| arm.done() == Some(wanted));
    is(Done::Served).or_else(|| is(Done::Happened))
}

/// A fiber of `sched` that waits in a choice which another thread may end.
pub(crate) fn find_shared(sched: &Scheduler) -> Option<Key> {
    if sched.shared_choices.get() == 0 {
        return None;
    }
    let table = sched.table.borrow();
    table.iter().find(|(_, fiber)| is_shared(**fiber)).map(|(key, _)| key)
}

/// Whether `fiber` waits in a choice that another thread may end. One that was retired there does not.
pub(crate) fn is_shared(fiber: FiberPtr) -> bool {
    fiber.state.get() == State::Parked && std::ptr::eq(fiber.reason.get(), &CHOOSING_SHARED)
}

/// A wait that other threads may end, for as long as this lives.
struct Shared(Here);

impl Shared {
    fn new(here: Here) -> Shared {
        here.sched.shared_choices.set(here.sched.shared_choices.get() + 1);
        Shared(here)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let Here { sched, .. } = self.0;
        sched.shared_choices.set(sched.shared_choices.get() - 1);
    }
}

/// Tells all arms that the wait is over.
struct Over<'a, 'b>(&'a [&'b mut dyn Arm]);

impl Drop for Over<'_, '_> {
    fn drop(&mut self) {
        self.0.iter().for_each(|arm| arm.end());
    }
}
