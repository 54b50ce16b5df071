//! The queues of a shared channel: the fibers that wait, in order, and the choice of the partner.
//! There is no switch in this file.
//!
//! Invariants:
//! - An operation that finds a waiting partner exchanges with it, so at most one of the queues has
//!   a fiber that waits.
//! - A waiter that has gone (killed, timed out) stays in its queue until it comes to the front, or
//!   until those that have gone outnumber the others. It is only not counted any more.
//! - No user code runs in here: messages are moved, and never dropped.

use std::collections::VecDeque;
use std::sync::Arc;

use super::waiter::Waiter;
use crate::channel::pairing::{After, Pairing, Side, Step};
use crate::sched::core::scheduler::Scheduler;
use crate::stackless::channel_error::ChannelError;

/// The state of a channel that the lock protects.
pub(super) struct State<T> {
    pub(super) pairing: Pairing,
    senders: VecDeque<Arc<Waiter<T>>>,
    receivers: VecDeque<Arc<Waiter<T>>>,
}

/// The result of a search for a partner.
pub(super) enum Met<T> {
    /// The values are exchanged. The partner, and the step that follows.
    Partner(Arc<Waiter<T>>, After),
    /// No fiber waits on the other side, and the caller may wait.
    Nobody,
}

impl<T> State<T> {
    pub(super) fn new() -> State<T> {
        State { pairing: Pairing::default(), senders: VecDeque::new(), receivers: VecDeque::new() }
    }

    /// Exchanges with the first waiter on the other side of `side` for which `exchange` succeeds,
    /// unless `check` refuses the step that would follow: then nothing has happened. `caller` is
    /// the scheduler of the caller; only a partner of the same scheduler can be switched to.
    pub(super) fn meet(
        &mut self,
        side: Side,
        caller: Option<&Scheduler>,
        check: impl Fn(Step) -> Result<(), ChannelError>,
        mut exchange: impl FnMut(&Waiter<T>) -> bool,
    ) -> Result<Met<T>, ChannelError> {
        loop {
            let (step, first) = self.foresee(side, caller);
            check(step)?;
            let (Step::Meet(after), Some(first)) = (step, first) else { return Ok(Met::Nobody) };
            let partner = first.clone();
            let met = exchange(&partner);
            self.queue(other(side)).pop_front();
            if met {
                return Ok(Met::Partner(partner, after));
            }
        }
    }

    /// Returns the step of an operation on `side` that came now, and the partner that it would
    /// exchange with. Removes the waiters before that partner that have gone.
    pub(super) fn foresee(
        &mut self,
        side: Side,
        caller: Option<&Scheduler>,
    ) -> (Step, Option<&Arc<Waiter<T>>>) {
        let pairing = self.pairing;
        let others = self.queue(other(side));
        while others.front().is_some_and(|first| !first.waits()) {
            others.pop_front();
        }
        let Some(first) = others.front() else { return (pairing.arrive(side, false), None) };
        let is_local = caller.is_some_and(|sched| first.ticket().is_of(sched));
        let step = if is_local { pairing.arrive(side, true) } else { Step::Meet(After::GoOn) };
        (step, Some(first))
    }

    /// Appends a fiber that waits. `waiting` is the number of waiting fibers on its side, including
    /// itself.
    pub(super) fn join(&mut self, side: Side, waiter: Arc<Waiter<T>>, waiting: usize) {
        let queue = self.queue(side);
        queue.push_back(waiter);
        if 2 * waiting + KEPT < queue.len() {
            queue.retain(|waiter| waiter.waits());
        }
    }

    /// Returns all waiters in the queues, including those that have gone.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Waiter<T>>> {
        self.senders.iter().chain(&self.receivers)
    }

    fn queue(&mut self, side: Side) -> &mut VecDeque<Arc<Waiter<T>>> {
        if side == Side::Send { &mut self.senders } else { &mut self.receivers }
    }
}

/// Returns the other side.
pub(super) fn other(side: Side) -> Side {
    if side == Side::Send { Side::Receive } else { Side::Send }
}

/// The number by which the waiters that have gone must exceed the others before a pass over the
/// queue removes them.
const KEPT: usize = 16;
