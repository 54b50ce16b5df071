//! Who waits at a shared channel, in order, and who of them is met: no switch in here.
//!
//! Invariants:
//! - Whoever finds a partner that waits meets it, so at most one of the queues has anybody waiting.
//! - A waiter that has gone (killed, timed out) stays in its queue until it comes to the front, or
//!   until those that have gone outnumber the others. It is only counted no more.
//! - No user code runs in here: messages are moved, and never dropped.

use std::collections::VecDeque;
use std::sync::Arc;

use super::waiter::Waiter;
use crate::channel::pairing::{After, Pairing, Side, Step};
use crate::sched::core::scheduler::Scheduler;
use crate::stackless::channel_error::ChannelError;

/// What is behind the lock of a channel.
pub(super) struct State<T> {
    pub(super) pairing: Pairing,
    senders: VecDeque<Arc<Waiter<T>>>,
    receivers: VecDeque<Arc<Waiter<T>>>,
}

/// What became of one who came to meet a partner.
pub(super) enum Met<T> {
    /// The values are exchanged; this is the partner, and what is to follow.
    Partner(Arc<Waiter<T>>, After),
    /// Nobody waits on the other side, and to wait for somebody is allowed.
    Nobody,
}

impl<T> State<T> {
    pub(super) fn new() -> State<T> {
        State { pairing: Pairing::default(), senders: VecDeque::new(), receivers: VecDeque::new() }
    }

    /// Meets the first on the other side of `side` with whom `exchange` succeeds, unless `check`
    /// refuses what would follow: then nothing has happened. `caller` is the scheduler of the one
    /// who comes; only a partner of the same is one to switch to (S-192).
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

    /// What one would do who came on `side` now, and the partner whom he would meet. Those who have
    /// gone from before that are taken off.
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
        let Some(first) = others.front() else { return (pairing.arrive(side, 0), None) };
        let is_local = caller.is_some_and(|sched| first.ticket().is_of(sched));
        let step = if is_local { pairing.arrive(side, 1) } else { Step::Meet(After::GoOn) };
        (step, Some(first))
    }

    /// Appends one who waits. `waiting` is the number of those who do on its side, itself included.
    pub(super) fn join(&mut self, side: Side, waiter: Arc<Waiter<T>>, waiting: usize) {
        let queue = self.queue(side);
        queue.push_back(waiter);
        if 2 * waiting + KEPT < queue.len() {
            queue.retain(|waiter| waiter.waits());
        }
    }

    /// Everybody who stands in a queue, gone or not.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Waiter<T>>> {
        self.senders.iter().chain(&self.receivers)
    }

    fn queue(&mut self, side: Side) -> &mut VecDeque<Arc<Waiter<T>>> {
        if side == Side::Send { &mut self.senders } else { &mut self.receivers }
    }
}

/// The other side.
pub(super) fn other(side: Side) -> Side {
    if side == Side::Send { Side::Receive } else { Side::Send }
}

/// So many that have gone are not worth a pass.
const KEPT: usize = 16;
