//! A count of unfinished work, and the queue of those that wait until it is zero.
//!
//! ```text
//!   word:  63                          1 0
//!         [ workers                     | W ]    W: the queue is not empty
//! ```
//!
//! Invariants:
//! - `W` is set exactly while the queue is not empty. It changes under the lock of the queue.
//! - While `W` is set, the count reaches zero only under that lock, which also ends all waits. So
//!   each wait ends when the count was zero, even if it has risen again since.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::sched::lowlevel::{Interrupt, Limit, OnDeadlock, WaitOutcome, WaitReason};
use crate::sync::error::TimeoutError;
use crate::sync::futures::WaitGroupFuture;
use crate::sync::queue::Queue;
use crate::sync::task::Grants;
use crate::sync::waiter::{Site, Waiter, count_operation, locked, wait, wake_all};

static WAITING: WaitReason =
    WaitReason::new("waiting for a wait group", OnDeadlock::Panic).ended_by_outsiders();
static WAITING_UNTIL: WaitReason =
    WaitReason::new("waiting for a wait group", OnDeadlock::Fail).ended_by_outsiders();

const WAITERS: usize = 1;
const ONE: usize = 2;

/// A count of workers, and a way to wait until all of them are done.
///
/// For fibers there are [`JoinHandle`](crate::JoinHandle) and [`scope`](fn@crate::scope). A wait
/// group is for work that is not one fiber per item: requests, files, work on several threads.
///
/// # Examples
///
/// ```
/// use fibra::sync::WaitGroup;
///
/// static WORK: WaitGroup = WaitGroup::new();
///
/// fibra::run(|| {
///     for _ in 0..3 {
///         let worker = WORK.worker();
///         std::thread::spawn(move || {
///             // ...
///             drop(worker);
///         });
///     }
///     WORK.wait();
///     assert_eq!(WORK.workers(), 0);
/// });
/// ```
pub struct WaitGroup {
    word: AtomicUsize,
    queue: Mutex<Queue>,
}

/// One worker of a [`WaitGroup`], which is done when this is dropped.
///
/// # Examples
///
/// ```
/// use fibra::sync::WaitGroup;
///
/// let group = WaitGroup::new();
/// let worker = group.worker();
/// assert_eq!(group.workers(), 1);
/// drop(worker); // done
/// group.wait();
/// ```
#[derive(Debug)]
#[must_use = "the worker is done when this is dropped"]
pub struct Worker<'a> {
    group: &'a WaitGroup,
}

impl WaitGroup {
    /// Creates a group without workers.
    #[must_use]
    pub const fn new() -> WaitGroup {
        WaitGroup { word: AtomicUsize::new(0), queue: Mutex::new(Queue::new()) }
    }

    /// Adds one worker, which is done when the result is dropped.
    #[inline]
    pub fn worker(&self) -> Worker<'_> {
        self.add(1);
        Worker { group: self }
    }

    /// Adds `workers` workers, for each of which [`done`](Self::done) must be called.
    ///
    /// # Panics
    ///
    /// Panics if the number of workers overflows.
    #[inline]
    pub fn add(&self, workers: usize) {
        let more = |word: usize| word.checked_add(workers.checked_mul(ONE)?);
        let added = self.word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        assert!(added.is_ok(), "more workers than a wait group can count");
    }

    /// Removes one worker. If it was the last one, all waits end.
    ///
    /// # Panics
    ///
    /// Panics if the group has no worker.
    #[inline]
    #[track_caller]
    pub fn done(&self) {
        let mut word = self.word.load(Ordering::Relaxed);
        while word != ONE | WAITERS {
            assert!(ONE <= word, "`done` was called on a wait group without workers");
            let to = word - ONE;
            match self.word.compare_exchange_weak(word, to, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
        self.last_done();
    }

    #[cold]
    #[track_caller]
    fn last_done(&self) {
        let mut queue = locked(&self.queue);
        let less = |word: usize| match word {
            _ if word < ONE => None,
            _ if word / ONE == 1 => Some(0),
            _ => Some(word - ONE),
        };
        // The queue is empty if all waiters have been withdrawn in the meantime.
        let before = self.word.fetch_update(Ordering::AcqRel, Ordering::Relaxed, less);
        let served = match before {
            Ok(before) if before / ONE == 1 => queue.claim_all(WaitOutcome::Served),
            _ => Vec::new(),
        };
        drop(queue);
        wake_all(&served);
        assert!(before.is_ok(), "`done` was called on a wait group without workers");
    }

    /// Returns the number of workers that are not done.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.word.load(Ordering::Acquire) / ONE
    }

    /// Waits until no worker is left.
    ///
    /// # Panics
    ///
    /// Panics with a report if nothing can ever run again.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::sync::WaitGroup;
    ///
    /// static WORK: WaitGroup = WaitGroup::new();
    ///
    /// let worker = WORK.worker();
    /// let thread = std::thread::spawn(move || drop(worker));
    /// WORK.wait(); // in a fiber this parks the fiber, on a plain thread it blocks
    /// thread.join().unwrap();
    /// ```
    #[track_caller]
    pub fn wait(&self) {
        if let Err(interrupt) = self.wait_within(Limit::None, &WAITING) {
            interrupt.into_panic();
        }
    }

    /// Waits until no worker is left, no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimeoutError::Timeout`] if workers were left at the end of that time.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::sync::WaitGroup;
    ///
    /// fibra::run(|| {
    ///     let group = WaitGroup::new();
    ///     let worker = group.worker();
    ///     assert!(group.wait_timeout(Duration::from_millis(1)).unwrap_err().is_timeout());
    ///     drop(worker);
    ///     assert!(group.wait_timeout(Duration::ZERO).is_ok());
    /// });
    /// ```
    #[track_caller]
    pub fn wait_timeout(&self, timeout: Duration) -> Result<(), TimeoutError> {
        self.wait_within(Limit::After(timeout), &WAITING_UNTIL).map_err(TimeoutError::of)
    }

    /// Waits until no worker is left, no longer than until `at` by the clock of the caller.
    ///
    /// # Errors
    ///
    /// [`TimeoutError::Timeout`] if workers were left at that instant.
    #[track_caller]
    pub fn wait_deadline(&self, at: Instant) -> Result<(), TimeoutError> {
        self.wait_within(Limit::At(at), &WAITING_UNTIL).map_err(TimeoutError::of)
    }

    /// Returns a future that is ready when no worker is left, even if workers are added afterwards:
    /// see [`sync::futures`](crate::sync::futures). The wait begins with the first poll.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::sync::WaitGroup;
    ///
    /// static WORK: WaitGroup = WaitGroup::new();
    ///
    /// let worker = WORK.worker();
    /// let task = std::thread::spawn(|| fibra::future::block_on(WORK.wait_async()));
    /// fibra::run(|| drop(worker));
    /// task.join().unwrap();
    /// ```
    pub fn wait_async(&self) -> WaitGroupFuture<'_> {
        WaitGroupFuture::new(self)
    }

    #[track_caller]
    fn wait_within(&self, limit: Limit, reason: &'static WaitReason) -> Result<(), Interrupt> {
        if self.workers() == 0 {
            count_operation();
            return Ok(());
        }
        match self.join_line(|| Arc::new(Waiter::new(()))) {
            Some(waiter) => wait(self, &waiter, limit.instant(), reason).map(drop),
            None => Ok(()),
        }
    }

    /// Puts the waiter that `new` makes into the queue, unless no worker is left.
    fn join_line(&self, new: impl FnOnce() -> Arc<Waiter>) -> Option<Arc<Waiter>> {
        let mut queue = locked(&self.queue);
        let announce = |word| (ONE <= word).then_some(word | WAITERS);
        self.word.fetch_update(Ordering::Acquire, Ordering::Acquire, announce).ok()?;
        let waiter = new();
        queue.push(waiter.clone());
        Some(waiter)
    }
}

impl Grants for WaitGroup {
    fn grant(&self, (): ()) -> bool {
        self.workers() == 0
    }

    fn queue_task(&self, waiter: &Arc<Waiter>) -> Option<WaitOutcome> {
        let queued = self.join_line(|| waiter.clone());
        queued.is_none().then_some(WaitOutcome::Served)
    }

    fn give_back(&self, (): ()) {}
}

impl Site for WaitGroup {
    type Extra = ();

    fn withdraw(&self, waiter: &Waiter) -> bool {
        let mut queue = locked(&self.queue);
        if !queue.withdraw(waiter) {
            return false;
        }
        if queue.is_empty() {
            self.word.fetch_and(!WAITERS, Ordering::Relaxed);
        }
        true
    }
}

impl Drop for Worker<'_> {
    #[inline]
    fn drop(&mut self) {
        self.group.done();
    }
}

impl Default for WaitGroup {
    fn default() -> WaitGroup {
        WaitGroup::new()
    }
}

impl fmt::Debug for WaitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = locked(&self.queue).len();
        f.debug_struct("WaitGroup")
            .field("workers", &self.workers())
            .field("waiting", &waiting)
            .finish()
    }
}
