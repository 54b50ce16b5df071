//! Waiting for the first of several things: the loop behind `select!`.
//!
//! ```text
//!   attempt each arm, from a place that moves on -- one could be done --> done
//!     none  ^
//!           +----------- another thread has changed what an arm watches
//!   enlist all --> wait --> one was completed by its partner, which has taken the others out
//!              \-> the earliest deadline has passed
//! ```
//!
//! Invariants:
//! - At most one arm is done. Either it needed no wait, and no arm was enlisted; or a partner has
//!   completed it, and has taken the others out of their lists before another partner could serve
//!   them. Arms that need no partner (the end of a fiber) are looked at after those. A fiber only
//!   watches the objects that other threads share: when one has changed, all arms are attempted
//!   again. So no other thread ever hands anything to a fiber that may choose another arm.
//! - All arms are out of their lists when `wait` returns or unwinds.
//! - An arm that can always be done is done from time to time, whatever else this fiber and others
//!   choose in between: see [`Turns`]. The same program looks at the same arms first in each run.

#![allow(unsafe_code, reason = "places nodes in lists for the time of a wait")]

use crate::collections::slot_table::Key;
use crate::fiber::header::FiberPtr;
use crate::fiber::state::{OnDeadlock, State, WaitReason};
use crate::fiber::wait_list::{Enlisted, Place};
use crate::sched::core::deadline::Deadline;
use crate::sched::core::interrupt::Interrupt;
use crate::sched::core::park::{spend, wait_until};
use crate::sched::core::scheduler::{CurrentFiber, Scheduler, current_fiber};

static CHOOSING: WaitReason =
    WaitReason::new("waiting for the first of several things", OnDeadlock::Panic);

static CHOOSING_SHARED: WaitReason =
    WaitReason::new("waiting for the first of several things", OnDeadlock::Panic)
        .ended_by_outsiders();

/// The number of arms whose places in lists are kept without an allocation.
const FEW: usize = 8;

/// One of several things that a fiber waits for.
pub(crate) trait Arm {
    /// Does the operation now, if that needs no wait. Returns whether it is done. May be called
    /// again.
    fn attempt(&mut self, current: CurrentFiber) -> bool;

    /// Returns the list in which partners find the arm while the fiber waits, and its node. Called
    /// after `attempt`.
    fn place(&self) -> Option<Place<'_>> {
        None
    }

    /// Begins the wait, for arms that are not in a list.
    fn begin(&self, _current: CurrentFiber) {}

    /// Returns whether another thread may end the wait.
    fn is_shared(&self) -> bool {
        false
    }

    /// Ends the wait, if it has begun. The arm is out of its list, done or not.
    fn end(&self) {}

    /// Returns the outcome of the wait so far; `None` if the arm is not done.
    fn done(&self) -> Option<Done>;

    /// Returns the time at which the arm is done at the latest, in the scheduler's microseconds.
    fn deadline(&self) -> Option<u64> {
        None
    }
}

/// The outcome of the wait of an arm.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Done {
    /// A partner has done it. This arm must be chosen.
    Served,
    /// The event has happened, and can be read again. The arm need not be chosen.
    Happened,
    /// The arm may be possible now, and must be attempted.
    Changed,
}

/// The order in which arms are looked at.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Order {
    /// From the first to the last.
    Given,
    /// From a position that moves on with each call of the fiber.
    Fair,
}

/// Does the first arm that can be done, after a wait if there is none. Returns its index.
#[track_caller]
pub(crate) fn choose(arms: &mut [&mut dyn Arm], order: Order) -> usize {
    let current = current_fiber();
    let first = first(current, arms.len(), order);
    spend(current);
    loop {
        if let Some(chosen) = attempt(current, arms, first) {
            return chosen;
        }
        if let Some(chosen) = wait(current, arms) {
            return chosen;
        }
    }
}

/// Does the first arm that can be done without a wait. Returns its index.
#[track_caller]
pub(crate) fn choose_now(arms: &mut [&mut dyn Arm], order: Order) -> Option<usize> {
    let current = current_fiber();
    let first = first(current, arms.len(), order);
    spend(current);
    attempt(current, arms, first)
}

/// Returns the index of the arm, of `count`, that is looked at first. It is called once per choice,
/// however often the choice has to wait.
#[inline]
fn first(current: CurrentFiber, count: usize, order: Order) -> usize {
    if order == Order::Given || count < 2 {
        return 0;
    }
    let choices = &current.fiber.choices;
    let turn = choices.get();
    choices.set(turn.wrapping_add(1));
    Turns::first(turn, count)
}

#[inline]
fn attempt(current: CurrentFiber, arms: &mut [&mut dyn Arm], first: usize) -> Option<usize> {
    (first..arms.len()).chain(0..first).find(|&at| arms[at].attempt(current))
}

/// The sequence of arms with which a fiber begins its choices: from one arm to the next, and after
/// some choices from another arm.
///
/// Going from one arm to the next alone would starve arms: if the loop of a fiber contains two
/// choices of two arms each, each choice would begin with the same arm forever. The other arm is a
/// hash of the count of choices. It needs no other state, so the sequence is the same in each run.
struct Turns;

impl Turns {
    /// The number of choices of one fiber that go from one arm to the next, as a power of two.
    const IN_ORDER: u32 = 4;

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "no list of arms is so long")]
    fn first(turn: u32, count: usize) -> usize {
        let mixed = (turn >> Turns::IN_ORDER).wrapping_mul(0x9E37_79B9);
        let place = (mixed ^ mixed >> 15).wrapping_mul(0x85EB_CA6B) >> 16;
        (turn.wrapping_add(place) % count as u32) as usize
    }
}

/// Waits until one of the arms is done, or should be attempted again.
#[track_caller]
fn wait(current: CurrentFiber, arms: &[&mut dyn Arm]) -> Option<usize> {
    let mut few: [Option<Enlisted<'_>>; FEW] = Default::default();
    let mut many = Vec::new();
    let shared = arms.iter().any(|arm| arm.is_shared());
    let _shared = shared.then(|| Shared::new(current));
    let _over = Over(arms);
    for (at, arm) in arms.iter().enumerate() {
        arm.begin(current);
        // SAFETY: both stores are dropped at the end of this function, even by an unwind.
        let enlisted = arm.place().map(|place| unsafe { place.enlist() });
        match few.get_mut(at) {
            Some(slot) => *slot = enlisted,
            None => many.push(enlisted),
        }
    }
    let any_done = || arms.iter().any(|arm| arm.done().is_some());
    // A shared object may have changed between the attempt and the beginning of the wait.
    if shared && any_done() {
        return chosen(arms);
    }
    let due = arms.iter().enumerate().filter_map(|(at, arm)| Some((arm.deadline()?, at))).min();
    let reason = if shared { &CHOOSING_SHARED } else { &CHOOSING };
    let waited = {
        let _deadline = due.map(|(deadline, _)| Deadline::arm(current, deadline));
        wait_until(current, reason, any_done)
    };
    match (waited, due) {
        (Ok(()), _) => chosen(arms),
        (Err(Interrupt::TimedOut), Some((_, at))) => Some(at),
        (Err(interrupt), _) => interrupt.into_panic(),
    }
}

/// Returns the index of the arm that was done: the one that a partner has served, if there is one.
/// Returns `None` if arms only have to be attempted again.
fn chosen(arms: &[&mut dyn Arm]) -> Option<usize> {
    let is = |wanted: Done| arms.iter().position(|arm| arm.done() == Some(wanted));
    is(Done::Served).or_else(|| is(Done::Happened))
}

/// Returns a fiber of `sched` that waits in a choice which another thread may end.
pub(crate) fn find_shared(sched: &Scheduler) -> Option<Key> {
    if sched.outside.shared_choices.get() == 0 {
        return None;
    }
    let table = sched.table.borrow();
    table.iter().find(|(_, fiber)| is_shared(**fiber)).map(|(key, _)| key)
}

/// Returns whether `fiber` waits in a choice that another thread may end. A fiber that was
/// abandoned in one does not.
pub(crate) fn is_shared(fiber: FiberPtr) -> bool {
    fiber.state.get() == State::Parked && std::ptr::eq(fiber.reason.get(), &CHOOSING_SHARED)
}

/// Counts the choice of a fiber as one that other threads may end, as long as this lives.
struct Shared(CurrentFiber);

impl Shared {
    fn new(current: CurrentFiber) -> Shared {
        current.sched.outside.shared_choices.set(current.sched.outside.shared_choices.get() + 1);
        Shared(current)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let CurrentFiber { sched, .. } = self.0;
        sched.outside.shared_choices.set(sched.outside.shared_choices.get() - 1);
    }
}

/// Ends the wait of all arms when it is dropped.
struct Over<'a, 'b>(&'a [&'b mut dyn Arm]);

impl Drop for Over<'_, '_> {
    fn drop(&mut self) {
        self.0.iter().for_each(|arm| arm.end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stride_through_the_turns_meets_every_arm() {
        for arms in [2, 3, 4, 5, 7, 8, 12, 17] {
            for stride in (1..=400).chain((9..20).map(|n| 1 << n)) {
                let mut met = vec![0; arms];
                let turns = (0..400_u32).map(|n| n.wrapping_mul(stride));
                turns.for_each(|turn| met[Turns::first(turn, arms)] += 1);
                let fair = 400 / arms;
                assert!(met.iter().all(|&n| fair / 4 <= n), "{stride} of {arms}: {met:?}");
            }
        }
    }

    #[test]
    fn the_first_turns_go_from_one_arm_to_the_next() {
        let firsts: Vec<_> = (0..16).map(|turn| Turns::first(turn, 3)).collect();
        assert_eq!(firsts, [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0]);
    }
}
