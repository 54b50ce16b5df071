//! A point at which a number of fibers or threads wait for each other.
//!
//! Invariants:
//! - The queue contains the parties that have arrived. They are fewer than `parties`.
//! - A party that leaves early (killed, timed out) has not arrived: another one must arrive in its
//!   place.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::sched::lowlevel::{Interrupt, Limit, OnDeadlock, WaitOutcome, WaitReason};
use crate::sync::error::TimeoutError;
use crate::sync::queue::Queue;
use crate::sync::waiter::{Site, Waiter, count_operation, locked, wait, wake_all};

pub(super) mod future;

static WAITING: WaitReason =
    WaitReason::new("waiting at a barrier", OnDeadlock::Panic).ended_by_outsiders();
static WAITING_UNTIL: WaitReason =
    WaitReason::new("waiting at a barrier", OnDeadlock::Fail).ended_by_outsiders();

/// A reusable barrier like [`std::sync::Barrier`]: a number of fibers or threads wait for each
/// other.
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

/// The result of [`Barrier::wait`]: whether the caller was the last to arrive.
///
/// # Examples
///
/// ```
/// use fibra::sync::Barrier;
///
/// fibra::run(|| {
///     let barrier = Barrier::new(2);
///     let leaders = fibra::scope(|s| {
///         let waits = [(); 2].map(|()| s.spawn(|| barrier.wait().is_leader()));
///         waits.map(|wait| wait.join().unwrap())
///     });
///     assert_eq!(leaders.iter().filter(|is_leader| **is_leader).count(), 1);
/// });
/// ```
#[derive(Clone, Debug)]
pub struct BarrierWaitResult {
    is_leader: bool,
}

impl Barrier {
    /// Creates a barrier for `parties` fibers or threads. With 0 or 1, no call waits.
    #[must_use]
    pub const fn new(parties: usize) -> Barrier {
        Barrier { parties, queue: Mutex::new(Queue::new()) }
    }

    /// Waits until all parties have arrived. The last one is the leader.
    ///
    /// A fiber that is killed while it waits does not count: another must arrive in its place.
    ///
    /// # Panics
    ///
    /// Panics with a report if nothing can ever run again.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::sync::Barrier;
    ///
    /// fibra::run(|| {
    ///     let barrier = Barrier::new(2);
    ///     fibra::scope(|s| {
    ///         s.spawn(|| barrier.wait());
    ///         barrier.wait(); // returns when both have arrived
    ///     });
    /// });
    /// ```
    #[track_caller]
    pub fn wait(&self) -> BarrierWaitResult {
        match self.meet(Limit::None, &WAITING) {
            Ok(result) => result,
            Err(interrupt) => interrupt.into_panic(),
        }
    }

    /// Like [`wait`](Self::wait), but waits no longer than `timeout`. A caller that times out has
    /// not arrived.
    ///
    /// # Errors
    ///
    /// [`TimeoutError::Timeout`] if not all parties arrived in time.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::sync::{Barrier, TimeoutError};
    ///
    /// fibra::run(|| {
    ///     let barrier = Barrier::new(2);
    ///     let alone = barrier.wait_timeout(Duration::from_millis(1)).unwrap_err();
    ///     assert_eq!(alone, TimeoutError::Timeout);
    /// });
    /// ```
    #[track_caller]
    pub fn wait_timeout(&self, timeout: Duration) -> Result<BarrierWaitResult, TimeoutError> {
        self.meet(Limit::After(timeout), &WAITING_UNTIL).map_err(TimeoutError::of)
    }

    /// Like [`wait_timeout`](Self::wait_timeout), but waits no longer than until `at` by the clock
    /// of the caller.
    ///
    /// # Errors
    ///
    /// [`TimeoutError::Timeout`] if not all parties arrived in time.
    #[track_caller]
    pub fn wait_deadline(&self, at: Instant) -> Result<BarrierWaitResult, TimeoutError> {
        self.meet(Limit::At(at), &WAITING_UNTIL).map_err(TimeoutError::of)
    }

    #[track_caller]
    fn meet(
        &self,
        limit: Limit,
        reason: &'static WaitReason,
    ) -> Result<BarrierWaitResult, Interrupt> {
        count_operation();
        let waiter = self.arrive(|| Arc::new(Waiter::new(())));
        if let Some(waiter) = &waiter {
            wait(self, waiter, limit.instant(), reason)?;
        }
        Ok(BarrierWaitResult { is_leader: waiter.is_none() })
    }

    /// Puts the waiter that `new` makes into the queue; or ends all waits and returns `None`, if
    /// the caller is the last to arrive.
    fn arrive(&self, new: impl FnOnce() -> Arc<Waiter>) -> Option<Arc<Waiter>> {
        let mut queue = locked(&self.queue);
        if self.parties <= queue.len() + 1 {
            let served = queue.claim_all(WaitOutcome::Served);
            drop(queue);
            wake_all(&served);
            return None;
        }
        let waiter = new();
        queue.push(waiter.clone());
        Some(waiter)
    }
}

impl Site for Barrier {
    type Extra = ();

    fn withdraw(&self, waiter: &Waiter) -> bool {
        locked(&self.queue).withdraw(waiter)
    }
}

impl BarrierWaitResult {
    /// Returns whether the caller was the last to arrive. One caller per round was.
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
