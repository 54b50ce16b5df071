//! A place where so many wait for each other.
//!
//! Invariants:
//! - The queue holds those who have come, and fewer than it takes.
//! - One who leaves (killed, timed out) has not come: another must, in its place.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::sched::lowlevel::{Fate, Interrupt, OnDeadlock, WaitReason};
use crate::sync::error::TimeoutError;
use crate::sync::queue::Queue;
use crate::sync::waiter::{Site, Waiter, count_operation, deadline, locked, wait, wake_all};

static WAITING: WaitReason =
    WaitReason::new("waiting at a barrier", OnDeadlock::Panic).ended_by_outsiders();
static WAITING_UNTIL: WaitReason =
    WaitReason::new("waiting at a barrier", OnDeadlock::Fail).ended_by_outsiders();

/// Lets so many fibers or threads wait for each other, again and again, as [`std::sync::Barrier`].
///
/// # Examples
///
/// ```
/// use fibra::sync::Barrier;
///
/// fibra::run(|| {
///     let barrier = Barrier::new(3);
///     let leaders = fibra::sync::Mutex::new(0);
///     fibra::scope(|s| {
///         for _ in 0..3 {
///             s.spawn(|| {
///                 if barrier.wait().is_leader() {
///                     *leaders.lock() += 1;
///                 }
///             });
///         }
///     });
///     assert_eq!(leaders.into_inner(), 1);
/// });
/// ```
pub struct Barrier {
    parties: usize,
    queue: Mutex<Queue>,
}

/// What [`Barrier::wait`] returns: whether it was the last who came.
#[derive(Clone, Debug)]
pub struct BarrierWaitResult {
    is_leader: bool,
}

impl Barrier {
    /// A barrier for so many. With 0 or 1 nobody waits.
    #[must_use]
    pub const fn new(parties: usize) -> Barrier {
        Barrier { parties, queue: Mutex::new(Queue::new()) }
    }

    /// Waits until as many have come as it is for. The last is told that it is the leader.
    ///
    /// One who is killed while it waits does not count: it takes another to come in its place.
    ///
    /// # Panics
    ///
    /// With a report if nothing can ever run again.
    #[track_caller]
    pub fn wait(&self) -> BarrierWaitResult {
        match self.meet(|| None, &WAITING) {
            Ok(result) => result,
            Err(interrupt) => interrupt.into_panic(),
        }
    }

    /// As [`wait`](Self::wait), but leaves again after `timeout`: it has not come then.
    ///
    /// # Errors
    ///
    /// If the time is over first.
    #[track_caller]
    pub fn wait_timeout(&self, timeout: Duration) -> Result<BarrierWaitResult, TimeoutError> {
        self.meet(|| deadline(timeout), &WAITING_UNTIL).map_err(TimeoutError::of)
    }

    /// As [`wait`](Self::wait), but leaves again at the time `at` by the clock of the caller.
    ///
    /// # Errors
    ///
    /// If the time is over first.
    #[track_caller]
    pub fn wait_deadline(&self, at: Instant) -> Result<BarrierWaitResult, TimeoutError> {
        self.meet(|| Some(at), &WAITING_UNTIL).map_err(TimeoutError::of)
    }

    #[track_caller]
    fn meet(
        &self,
        by: impl FnOnce() -> Option<Instant>,
        reason: &'static WaitReason,
    ) -> Result<BarrierWaitResult, Interrupt> {
        count_operation();
        let mut queue = locked(&self.queue);
        if self.parties <= queue.len() + 1 {
            let served = queue.claim_all(Fate::Served);
            drop(queue);
            wake_all(&served);
            return Ok(BarrierWaitResult { is_leader: true });
        }
        let waiter = Arc::new(Waiter::new(()));
        queue.push(waiter.clone());
        drop(queue);
        wait(self, &waiter, by(), reason)?;
        Ok(BarrierWaitResult { is_leader: false })
    }
}

impl Site for Barrier {
    type Extra = ();

    fn withdraw(&self, waiter: &Waiter) -> bool {
        locked(&self.queue).withdraw(waiter)
    }
}

impl BarrierWaitResult {
    /// Whether the caller was the last who came. One of each round is.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.is_leader
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = locked(&self.queue).len();
        f.debug_struct("Barrier")
            .field("parties", &self.parties)
            .field("waiting", &waiting)
            .finish()
    }
}
