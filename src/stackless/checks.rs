//! The checks before every channel operation: traps, callbacks and time limits.
//!
//! ```text
//!   safe point -> channel callback -> partner?  yes: switch? -> switch_trap
//!                                               no:  block_trap -> closed -> switch_trap
//!              -> schedule callback, soft time limit -> the same checks again -> the operation
//! ```
//!
//! Invariant: all of this happens before anything is changed.

use crate::channel::pairing::{After, Step};
use crate::fiber::header::FiberRef;
use crate::sched::core::park::spend;
use crate::sched::core::pending_throw;
use crate::sched::core::scheduler::CurrentFiber;
use crate::stackless::channel_error::{ChannelError, ReceiveError};
use crate::stackless::record::Record;
use crate::stackless::state::state;
use crate::stackless::switching;

/// Marks a point at which a time limit may interrupt the tasklet, and at which the tasklet yields
/// if it has done many operations without waiting. It does not yield if switches are trapped or it
/// is atomic.
#[track_caller]
pub(super) fn safe_point(current: CurrentFiber) {
    state(&current.sched).time_slice.safe_point(current);
    if is_uninterruptible(current) {
        return;
    }
    if current.sched.budget.get() == 1 {
        switching::announce(current, || current.sched.first_in_ring());
    }
    spend(current);
}

fn is_uninterruptible(current: CurrentFiber) -> bool {
    switching::is_trapped(current) || record(current, |record| record.atomic.get())
}

/// Returns an error for a step that would switch or block where that is not allowed.
pub(super) fn check(current: CurrentFiber, step: Step) -> Result<(), ChannelError> {
    match step {
        Step::Meet(After::GoOn) => Ok(()),
        Step::Wait | Step::Refused if record(current, |record| record.block_trap.get()) => {
            Err(ChannelError::BlockTrap)
        }
        Step::Refused => Err(ChannelError::Closed),
        // A wait that nothing can end switches to nothing: it fails with a deadlock instead.
        Step::Wait if switching::is_trapped(current) && !switching::is_last(current) => {
            Err(ChannelError::SwitchTrap)
        }
        Step::Meet(_) if switching::is_trapped(current) => Err(ChannelError::SwitchTrap),
        Step::Wait | Step::Meet(_) => Ok(()),
    }
}

/// The target of the switch that a step makes.
#[derive(Debug)]
pub(super) enum Next {
    /// The partner, because it is preferred.
    Partner(FiberRef),
    /// The first fiber of the run ring, or the partner if the ring is empty.
    InRing(Option<FiberRef>),
}

impl Next {
    /// Returns the target of the switch that `step` makes with this partner.
    pub(super) fn of(step: Step, partner: Option<FiberRef>) -> Option<Next> {
        match (step, partner) {
            (Step::Meet(After::RunPartner), Some(partner)) => Some(Next::Partner(partner)),
            (Step::Meet(After::RunAll), partner) => Some(Next::InRing(partner)),
            (Step::Wait, _) => Some(Next::InRing(None)),
            _ => None,
        }
    }
}

/// Calls the schedule callback with the next tasklet to run. A soft time limit does not take
/// effect where the channel's preference determines that tasklet.
pub(super) fn before_switch(current: CurrentFiber, next: impl Fn() -> Option<Next>) {
    let state = state(&current.sched);
    if state.schedule_callback.is_none() && !state.time_slice.is_armed() {
        return;
    }
    match next() {
        Some(Next::Partner(partner)) => switching::announce(current, || Some(partner)),
        Some(Next::InRing(partner)) => {
            switching::announce(current, || {
                current.sched.first_in_ring().or(partner).or_else(|| switching::successor(current))
            });
            state.time_slice.soft_point(current);
        }
        None => {}
    }
}

/// Raises, after a send, what was thrown into the tasklet while others ran. It is raised
/// immediately: unlike a receive, a send holds no value that would be lost.
#[inline(always)]
pub(super) fn after_send(current: CurrentFiber) {
    if !current.fiber.signals.get().is_none() {
        pending_throw::raise_pending(current);
    }
}

/// Converts the result of a receive to the next item of an iteration.
#[track_caller]
pub(super) fn next_of<T>(received: Result<T, ReceiveError>) -> Option<T> {
    match received {
        Ok(value) => Some(value),
        Err(ChannelError::Closed | ChannelError::Killed) => None,
        Err(error) => panic!("{error}"),
    }
}

/// Applies `ask` to the record of the current fiber's tasklet; `false` if it has no record.
fn record(current: CurrentFiber, ask: impl FnOnce(&Record) -> bool) -> bool {
    Record::known(&current.fiber).is_some_and(|record| ask(&record))
}
