//! Waiting for the first of several things: the loop behind `select!`.
//!
//! ```text
//!   attempt each arm, from a place that moves on -- one could be done --> done
//!     none  ^
//!           +----------- another thread has changed something, and has served no arm
//!   enlist all --> wait --> one was completed by its partner, which has taken the others out
//!              \-> the earliest deadline has passed
//! ```
//!
//! Invariants:
//! - At most one arm is done. Either it needed no wait, and no arm was enlisted; or a partner has
//!   completed it, and has taken the others out of their lists before another partner could serve
//!   them. Arms that need no partner (the end of a fiber) are looked at after those.
//! - If other threads may complete an arm, all partners of the fiber, those on its own thread
//!   included, first claim one [`Ticket`]: the first one to do so completes its arm, and the others
//!   pass the fiber over. The fiber claims it itself before it does anything else.
//! - All arms are out of their lists when `wait` returns or unwinds.
//! - An arm that can always be done is done from time to time, whatever else this fiber and others
//!   choose in between: see [`Turns`]. The same program looks at the same arms first in each run.

#![allow(unsafe_code, reason = "places nodes in lists for the time of a wait")]

use std::sync::Arc;

use crate::collections::slot_table::Key;
use crate::fiber::header::FiberPtr;
use crate::fiber::state::{OnDeadlock, State, WaitReason};
use crate::fiber::wait_list::{Enlisted, Place, WaitList, WaitNode};
use crate::sched::core::arm_turns::Turns;
use crate::sched::core::carry;
use crate::sched::core::deadline::Deadline;
use crate::sched::core::interrupt::{self, Interrupt};
use crate::sched::core::leave::{leave, leave_for_external_wait};
use crate::sched::core::park::{spend, wait_for_events, wait_until};
use crate::sched::core::scheduler::{CurrentFiber, Scheduler};
use crate::sched::shared::outside::OutsideWait;
use crate::sched::shared::ticket::{Ticket, WaitOutcome};

static CHOOSING: WaitReason =
    WaitReason::new("waiting for the first of several things", OnDeadlock::Panic);

static CHOOSING_SHARED: WaitReason =
    WaitReason::new("waiting for the first of several things", OnDeadlock::Panic)
        .ended_by_outsiders()
        .ended_by_wakers();

/// Like [`CHOOSING_SHARED`], if an arm is polled: any thread, or the kernel, may call the waker.
static CHOOSING_POLLED: WaitReason =
    WaitReason::new("waiting for the first of several things", OnDeadlock::Panic)
        .ended_externally()
        .ended_by_wakers();

/// The number of arms whose places in lists are kept without an allocation.
const FEW: usize = 8;

/// One of several things that a fiber waits for.
pub(crate) trait Arm {
    /// Does the operation now, if that needs no wait. Returns whether it is done. May be called
    /// again.
    fn attempt(&mut self, current: CurrentFiber) -> bool;

    /// Returns the list in which partners find the arm while the fiber waits, and its node. Called
    /// after `begin`.
    fn place(&self) -> Option<Place<'_>> {
        None
    }

    /// Begins the wait. Called before `place`.
    fn begin(&self, _current: CurrentFiber) {}

    /// Returns what else a choice must do for this arm.
    fn demands(&self) -> Demands {
        Demands::NOTHING
    }

    /// Begins the wait, for arms that another thread may complete.
    fn join(&self, _ticket: &Arc<Ticket>) {}

    /// Ends the wait, if it has begun. The arm is out of its list, done or not.
    fn end(&self) {}

    /// Returns the outcome of the wait so far; `None` if the arm is not done.
    fn done(&self) -> Option<Done>;

    /// Returns the time at which the arm is done at the latest, in the scheduler's microseconds.
    /// Called only if the arm demands [`Demands::TIMED`].
    fn deadline(&self) -> Option<u64> {
        None
    }
}

/// What a choice must do for an arm, or for some of its arms, beside attempting it and waiting in
/// its list.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) struct Demands(u8);

impl Demands {
    pub(crate) const NOTHING: Demands = Demands(0);
    /// Another thread may end the wait.
    pub(crate) const SHARED: Demands = Demands(1);
    /// Another thread may complete the arm, if it claims the ticket of the wait.
    pub(crate) const EXCHANGE: Demands = Demands(2 | Demands::SHARED.0);
    /// An attempt polls: it keeps the waker of the fiber, and may run user code. Any thread may
    /// call the waker.
    pub(crate) const POLLED: Demands = Demands(4 | Demands::SHARED.0);
    /// The arm has a deadline.
    pub(crate) const TIMED: Demands = Demands(8);

    /// Returns these demands and `others` together.
    #[inline(always)]
    pub(crate) const fn and(self, others: Demands) -> Demands {
        Demands(self.0 | others.0)
    }

    #[inline(always)]
    fn has(self, other: Demands) -> bool {
        self.0 & other.0 == other.0
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

/// Begins a choice among `count` arms. Returns the index of the arm that is looked at first. It is
/// called once per choice, however often the choice has to wait.
#[inline(always)]
#[track_caller]
pub(crate) fn begin(current: CurrentFiber, count: usize, order: Order) -> usize {
    let mut first = 0;
    if order == Order::Fair && 2 <= count {
        let turn = current.fiber.choices.get();
        current.fiber.choices.set(turn.wrapping_add(1));
        first = Turns::first(turn, count);
    }
    spend(current);
    first
}

/// Does the first arm that can be done, after a wait if there is none. Returns its index. `demands`
/// are those of all arms together, and `first` is the index that [`begin`] has returned.
#[track_caller]
pub(crate) fn choose(
    current: CurrentFiber,
    arms: &mut [&mut dyn Arm],
    demands: Demands,
    first: usize,
) -> usize {
    let polls = demands.has(Demands::POLLED);
    let _polls = polls.then(|| EndOfPolls(current));
    loop {
        let chosen = if polls {
            attempt_with_polls(current, arms, first)
        } else {
            attempt(current, arms, first)
        };
        if let Some(chosen) = chosen {
            return chosen;
        }
        if let Some(chosen) = wait_for_any(current, arms, demands) {
            return chosen;
        }
    }
}

/// Like [`choose`], if none of the arms is polled, and each of them was just attempted.
#[inline(never)]
#[track_caller]
pub(crate) fn choose_by_waiting(
    current: CurrentFiber,
    arms: &mut [&mut dyn Arm],
    demands: Demands,
    first: usize,
) -> usize {
    debug_assert!(
        !demands.has(Demands::POLLED),
        "a polled arm was attempted outside of the choice"
    );
    match wait_for_any(current, arms, demands) {
        Some(chosen) => chosen,
        None => choose(current, arms, demands, first),
    }
}

/// Does the first arm that can be done without a wait. Returns its index.
pub(crate) fn choose_now(
    current: CurrentFiber,
    arms: &mut [&mut dyn Arm],
    demands: Demands,
    first: usize,
) -> Option<usize> {
    let _polls = demands.has(Demands::POLLED).then(|| EndOfPolls(current));
    attempt(current, arms, first)
}

#[inline]
fn attempt(current: CurrentFiber, arms: &mut [&mut dyn Arm], first: usize) -> Option<usize> {
    (first..arms.len()).chain(0..first).find(|&at| arms[at].attempt(current))
}

/// Like [`attempt`], if some arms are polled. A poll may run user code, which may have changed what
/// the arms before it have seen: they are attempted again, without user code in between.
#[cold]
fn attempt_with_polls(
    current: CurrentFiber,
    arms: &mut [&mut dyn Arm],
    first: usize,
) -> Option<usize> {
    // A wake from here on counts, also one that comes while another arm is polled.
    current.fiber.woken.set(false);
    attempt(current, arms, first).or_else(|| {
        let mut again = (first..arms.len()).chain(0..first);
        again.find(|&at| !arms[at].demands().has(Demands::POLLED) && arms[at].attempt(current))
    })
}

/// Makes the fiber count as woken when it is dropped: the polls may have consumed a wake that was
/// meant for an outer future of the fiber.
struct EndOfPolls(CurrentFiber);

impl Drop for EndOfPolls {
    fn drop(&mut self) {
        self.0.fiber.woken.set(true);
    }
}

/// Waits until one of the arms is done, or should be attempted again.
#[track_caller]
fn wait_for_any(current: CurrentFiber, arms: &[&mut dyn Arm], demands: Demands) -> Option<usize> {
    if demands.has(Demands::EXCHANGE) {
        wait_for_all(current, arms, demands)
    } else {
        wait(current, arms, demands)
    }
}

/// Like [`wait_for_any`], for arms that no other thread completes.
#[track_caller]
fn wait(current: CurrentFiber, arms: &[&mut dyn Arm], demands: Demands) -> Option<usize> {
    let mut places = Places::default();
    let shared = demands.has(Demands::SHARED);
    let _shared = shared.then(|| Shared::new(current));
    let _over = Over(arms);
    for (at, arm) in arms.iter().enumerate() {
        arm.begin(current);
        // SAFETY: `places` is dropped at the end of this function, even by an unwind.
        unsafe { places.enlist(at, &**arm) };
    }
    let any_done = || arms.iter().any(|arm| arm.done().is_some());
    // A shared object may have changed between the attempt and the beginning of the wait.
    if shared && any_done() {
        return chosen(arms);
    }
    let due = due(arms, demands);
    let waited = {
        let _deadline = due.map(|(deadline, _)| Deadline::arm(current, deadline));
        if demands.has(Demands::POLLED) {
            wait_for_events(current, &CHOOSING_POLLED, any_done)
        } else {
            let reason = if shared { &CHOOSING_SHARED } else { &CHOOSING };
            wait_until(current, reason, any_done)
        }
    };
    match (waited, due) {
        (Ok(()), _) => chosen(arms),
        (Err(Interrupt::TimedOut), Some((_, at))) => Some(at),
        (Err(interrupt), _) => interrupt.into_panic(),
    }
}

/// Like [`wait`], for arms of which other threads may complete some.
#[cold]
#[track_caller]
fn wait_for_all(current: CurrentFiber, arms: &[&mut dyn Arm], demands: Demands) -> Option<usize> {
    // It would take the place of the wait that the fiber is in.
    carry::refuse_at_door(current, CHOOSING_SHARED.text);
    let CurrentFiber { fiber, sched } = current;
    let ticket = Arc::new(Ticket::of(sched.address(), fiber.key.get()));
    let mut places = Places::default();
    let _shared = Shared::new(current);
    let choice = Choice { ticket, arms };
    let _over = Over(arms);
    // In a circle with another node, even one that is alone has a gate: see `WaitList::pop_front`.
    let (apart, node) = (WaitList::new(), WaitNode::new(fiber));
    // SAFETY: the node begins itself; the result is dropped at the end of this function.
    let _in_circle = unsafe { Enlisted::new(&node, &apart) };
    // SAFETY: the result is dropped at the end of this function, before `choice`, even by an
    // unwind.
    let _listed = unsafe { Listed::new(current, &choice) };
    for (at, arm) in arms.iter().enumerate() {
        arm.begin(current);
        arm.join(&choice.ticket);
        // SAFETY: `places` is dropped at the end of this function, even by an unwind.
        unsafe { places.enlist(at, &**arm) };
    }
    let due = due(arms, demands);
    let waited = {
        let _deadline = due.map(|(deadline, _)| Deadline::arm(current, deadline));
        choice.wait(current, demands.has(Demands::POLLED))
    };
    match (waited, due) {
        (Ok(()), _) => choice.close(),
        (Err(Interrupt::TimedOut), Some((_, at))) => Some(at),
        (Err(interrupt), _) => interrupt.into_panic(),
    }
}

/// Returns the earliest deadline, and the index of its arm.
fn due(arms: &[&mut dyn Arm], demands: Demands) -> Option<(u64, usize)> {
    if !demands.has(Demands::TIMED) {
        return None;
    }
    arms.iter().enumerate().filter_map(|(at, arm)| Some((arm.deadline()?, at))).min()
}

/// Returns the index of the arm that was done: the one that a partner has served, if there is one.
/// Returns `None` if arms only have to be attempted again.
fn chosen(arms: &[&mut dyn Arm]) -> Option<usize> {
    let is = |wanted: Done| arms.iter().position(|arm| arm.done() == Some(wanted));
    is(Done::Served).or_else(|| is(Done::Happened))
}

/// The nodes of the arms in their lists.
#[derive(Default)]
struct Places<'a> {
    few: [Option<Enlisted<'a>>; FEW],
    many: Vec<Option<Enlisted<'a>>>,
}

impl<'a> Places<'a> {
    /// Puts the arm with index `at` into its list, if it has one.
    ///
    /// # Safety
    ///
    /// This value must be dropped, or never be reached again because its fiber is abandoned.
    unsafe fn enlist(&mut self, at: usize, arm: &'a dyn Arm) {
        // SAFETY: the result is dropped with this value (the caller's promise).
        let enlisted = arm.place().map(|place| unsafe { place.enlist() });
        match self.few.get_mut(at) {
            Some(slot) => *slot = enlisted,
            None => self.many.push(enlisted),
        }
    }
}

/// A wait for arms of which other threads may complete some.
struct Choice<'a, 'b> {
    ticket: Arc<Ticket>,
    arms: &'a [&'b mut dyn Arm],
}

impl Choice<'_, '_> {
    /// Waits until an arm is done; `polled` is whether some arms are polled. If this returns an
    /// error or unwinds, no partner can serve an arm any more.
    #[track_caller]
    fn wait(&self, current: CurrentFiber, polled: bool) -> Result<(), Interrupt> {
        let fiber = current.fiber;
        let reason = if polled { &CHOOSING_POLLED } else { &CHOOSING_SHARED };
        while !self.ticket.is_completed() && self.arms.iter().all(|arm| arm.done().is_none()) {
            if !fiber.signals.get().is_none() {
                if carry::go_away(current, reason) {
                    // Its code may have completed the wait.
                    continue;
                }
                if interrupt::is_coming(current, reason) && !self.give_up() {
                    break;
                }
                interrupt::react(current, reason)?;
            }
            if polled {
                leave_for_external_wait(current, reason);
            } else {
                leave(current, reason);
            }
        }
        if !fiber.signals.get().is_none() {
            interrupt::wait_completed(fiber);
        }
        Ok(())
    }

    /// Withdraws the wait, unless a partner has completed it. Returns whether it is withdrawn now.
    fn give_up(&self) -> bool {
        self.ticket.claim(WaitOutcome::Withdrawn) || !self.ticket.is_completed()
    }

    /// Ends the wait, and returns the index of the arm that was done. From now on no partner serves
    /// an arm.
    fn close(&self) -> Option<usize> {
        // A partner that has claimed the ticket holds the lock of its arm's slot until it has
        // served the arm, and `done` takes that lock.
        let _ = self.ticket.claim(WaitOutcome::Withdrawn);
        chosen(self.arms)
    }
}

impl OutsideWait for Choice<'_, '_> {
    fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    fn claim(&self, outcome: WaitOutcome) -> bool {
        let is_first = self.ticket.claim(outcome);
        if is_first {
            self.arms.iter().for_each(|arm| arm.end());
        }
        is_first
    }

    fn others_exist(&self) -> bool {
        true
    }
}

/// A guard that keeps a choice in its scheduler's list of external waits, and its gate in the
/// record of the fiber.
struct Listed(CurrentFiber);

impl Listed {
    /// # Safety
    ///
    /// The result must be dropped before `choice` is moved or dropped, unless the fiber is never
    /// resumed again.
    unsafe fn new(current: CurrentFiber, choice: &Choice<'_, '_>) -> Listed {
        current.fiber.with_extra(|extra| extra.gate = Some(choice.ticket.clone()));
        // SAFETY: the caller promises to drop the result before `choice` is gone, and that takes
        // the choice off the list; or that the fiber is never resumed again.
        unsafe { current.sched.outside.list(current.fiber, choice) };
        Listed(current)
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let _ = self.0.sched.outside.unlist(self.0.fiber);
        let gate = self.0.fiber.with_extra(|extra| extra.gate.take());
        drop(gate);
    }
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
