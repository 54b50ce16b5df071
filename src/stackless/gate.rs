//! What every channel operation asks before it does anything: may it switch, may it block, and who
//! wants to know.
//!
//! ```text
//!   safe point -> channel callback -> partner?  yes: switch? -> switch_trap
//!                                               no:  block_trap -> closed -> switch_trap (S-147)
//!              -> schedule callback, soft timeout -> the same checks again -> the deed
//! ```
//!
//! Invariant: all of it happens before anything is changed (S-148).

use crate::channel::pairing::{After, Step};
use crate::fiber::header::FiberRef;
use crate::sched::core::park::spend;
use crate::sched::core::pending_throw;
use crate::sched::core::scheduler::Here;
use crate::stackless::channel_error::{ChannelError, ReceiveError};
use crate::stackless::record::Record;
use crate::stackless::state::state;
use crate::stackless::switching;

/// A point at which a timeout may interrupt the tasklet, and where it gives way if it has done many
/// operations without waiting. Not if it must not be switched away.
#[track_caller]
pub(super) fn safe_point(here: Here) {
    state(&here.sched).watchdog.safe_point(here);
    if is_uninterruptible(here) {
        return;
    }
    if here.sched.budget.get() == 1 {
        switching::announce(here, || here.sched.first_in_ring());
    }
    spend(here);
}

fn is_uninterruptible(here: Here) -> bool {
    switching::is_trapped(here) || record(here, |record| record.atomic.get())
}

/// Refuses a step that would switch or block where that is not allowed.
pub(super) fn check(here: Here, step: Step) -> Result<(), ChannelError> {
    match step {
        Step::Meet(After::GoOn) => Ok(()),
        Step::Wait | Step::Refused if record(here, |record| record.block_trap.get()) => {
            Err(ChannelError::BlockTrap)
        }
        Step::Refused => Err(ChannelError::Closed),
        // A wait that nothing can end switches to nothing: it says that it is a deadlock.
        Step::Wait if switching::is_trapped(here) && !switching::is_last(here) => {
            Err(ChannelError::SwitchTrap)
        }
        Step::Meet(_) if switching::is_trapped(here) => Err(ChannelError::SwitchTrap),
        Step::Wait | Step::Meet(_) => Ok(()),
    }
}

/// Whom a step switches to.
#[derive(Debug)]
pub(super) enum Next {
    /// The partner, because it is preferred.
    Partner(FiberRef),
    /// The first of the ring, or the partner if the ring is empty.
    InRing(Option<FiberRef>),
}

impl Next {
    /// What follows from `step`, with this partner.
    pub(super) fn of(step: Step, partner: Option<FiberRef>) -> Option<Next> {
        match (step, partner) {
            (Step::Meet(After::RunPartner), Some(partner)) => Some(Next::Partner(partner)),
            (Step::Meet(After::RunAll), partner) => Some(Next::InRing(partner)),
            (Step::Wait, _) => Some(Next::InRing(None)),
            _ => None,
        }
    }
}

/// Says who runs next, to the schedule callback. A soft timeout is not taken where a preference
/// decides (S-126).
pub(super) fn before_switch(here: Here, next: impl Fn() -> Option<Next>) {
    let state = state(&here.sched);
    if state.schedule_callback.is_none() && !state.watchdog.is_armed() {
        return;
    }
    match next() {
        Some(Next::Partner(partner)) => switching::announce(here, || Some(partner)),
        Some(Next::InRing(partner)) => {
            switching::announce(here, || {
                here.sched.first_in_ring().or(partner).or_else(|| switching::successor(here))
            });
            state.watchdog.soft_point(here);
        }
        None => {}
    }
}

/// A send is done. What was thrown at the tasklet while others ran is raised at once: unlike a
/// receive it holds nothing that would be lost.
#[inline(always)]
pub(super) fn after_send(here: Here) {
    if !here.fiber.attention.get().is_none() {
        pending_throw::meet_bomb(here);
    }
}

/// What an iteration makes of what it has received.
#[track_caller]
pub(super) fn next_of<T>(received: Result<T, ReceiveError>) -> Option<T> {
    match received {
        Ok(value) => Some(value),
        Err(ChannelError::Closed | ChannelError::Killed) => None,
        Err(error) => panic!("{error}"),
    }
}

/// Asks the running fiber's tasklet, if it is known as one.
fn record(here: Here, ask: impl FnOnce(&Record) -> bool) -> bool {
    Record::known(&here.fiber).is_some_and(|record| ask(&record))
}
