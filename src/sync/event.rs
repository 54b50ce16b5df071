//! A flag that fibers and threads wait for.
//!
//! ```text
//!   word:  0 --set--> SET            the queue is empty: one compare-and-swap
//!          0 --wait-> WAITERS --set--> SET, and all waits end
//!        SET --clear-> 0
//! ```
//!
//! Invariants:
//! - `WAITERS` is set exactly while the queue is not empty. It changes under the lock of the queue,
//!   and is never set together with `SET`.
//! - A wait that has begun ends when the flag is set, even if the flag is cleared before the waiter
//!   runs.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::sched::lowlevel::{
    Arm, CurrentFiber, Demands, Done, Interrupt, Limit, OnDeadlock, WaitOutcome, WaitReason,
};
use crate::sync::error::TimeoutError;
use crate::sync::futures::EventFuture;
use crate::sync::queue::Queue;
use crate::sync::task::{Grants, WaitState};
use crate::sync::waiter::{Site, Waiter, count_operation, locked, wait, wake_all};

static WAITING: WaitReason =
    WaitReason::new("waiting for an event", OnDeadlock::Panic).ended_by_outsiders();
static WAITING_UNTIL: WaitReason =
    WaitReason::new("waiting for an event", OnDeadlock::Fail).ended_by_outsiders();

const SET: u8 = 1;
const WAITERS: u8 = 2;

/// A flag that fibers and threads wait for, and that is set and cleared explicitly.
///
/// # Examples
///
/// ```
/// use fibra::sync::Event;
///
/// static READY: Event = Event::new();
///
/// fibra::run(|| {
///     let waits = fibra::spawn(|| READY.wait());
///     assert!(!READY.is_set());
///     READY.set();
///     waits.join().unwrap();
///     READY.wait(); // returns immediately until the event is cleared
/// });
/// ```
pub struct Event {
    word: AtomicU8,
    queue: Mutex<Queue>,
}

impl Event {
    /// Creates an event that is not set.
    #[must_use]
    pub const fn new() -> Event {
        Event { word: AtomicU8::new(0), queue: Mutex::new(Queue::new()) }
    }

    /// Sets the event: all waits end, in the order in which they began, and later ones return
    /// immediately until the event is cleared. Never waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::sync::Event;
    ///
    /// let event = Event::new();
    /// event.set();
    /// event.wait(); // returns immediately
    /// event.clear();
    /// assert!(!event.is_set());
    /// ```
    #[inline]
    pub fn set(&self) {
        // Stores even if it is set already: a caller that clears it then sees what happened before
        // each of the calls.
        let set = |word| (word & WAITERS == 0).then_some(SET);
        if self.word.fetch_update(Ordering::Release, Ordering::Relaxed, set).is_err() {
            self.set_and_wake();
        }
    }

    #[cold]
    fn set_and_wake(&self) {
        let mut queue = locked(&self.queue);
        self.word.store(SET, Ordering::Release);
        let served = queue.claim_all(WaitOutcome::Served);
        drop(queue);
        wake_all(&served);
    }

    /// Clears the event. Waits that have begun before it was set end nevertheless.
    #[inline]
    pub fn clear(&self) {
        self.word.fetch_and(!SET, Ordering::Acquire);
    }

    /// Returns whether the event is set now.
    #[inline]
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.word.load(Ordering::Acquire) == SET
    }

    /// Waits until the event is set.
    ///
    /// # Panics
    ///
    /// Panics with a report if nothing can ever run again.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::sync::Event;
    ///
    /// static READY: Event = Event::new();
    ///
    /// let thread = std::thread::spawn(|| fibra::run(|| READY.wait())); // of another thread
    /// READY.set();
    /// thread.join().unwrap();
    /// ```
    #[inline]
    #[track_caller]
    pub fn wait(&self) {
        if let Err(interrupt) = self.wait_within(Limit::None, &WAITING) {
            interrupt.into_panic();
        }
    }

    /// Waits until the event is set, no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimeoutError::Timeout`] if it was not set in time.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::sync::Event;
    ///
    /// fibra::run(|| {
    ///     let event = Event::new();
    ///     assert!(event.wait_timeout(Duration::from_millis(1)).unwrap_err().is_timeout());
    /// });
    /// ```
    #[track_caller]
    pub fn wait_timeout(&self, timeout: Duration) -> Result<(), TimeoutError> {
        self.wait_within(Limit::After(timeout), &WAITING_UNTIL).map_err(TimeoutError::of)
    }

    /// Waits until the event is set, no longer than until `at` by the clock of the caller.
    ///
    /// # Errors
    ///
    /// [`TimeoutError::Timeout`] if it was not set in time.
    #[track_caller]
    pub fn wait_deadline(&self, at: Instant) -> Result<(), TimeoutError> {
        self.wait_within(Limit::At(at), &WAITING_UNTIL).map_err(TimeoutError::of)
    }

    /// Returns a future that is ready when the event is set, even if it is cleared afterwards. The
    /// wait begins with the first poll.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::sync::Event;
    ///
    /// static READY: Event = Event::new();
    ///
    /// fibra::run(|| {
    ///     let waits = fibra::spawn(|| fibra::future::block_on(READY.wait_async()));
    ///     fibra::yield_now();
    ///     READY.set();
    ///     waits.join().unwrap();
    /// });
    /// ```
    #[doc(alias = "notified")]
    pub fn wait_async(&self) -> EventFuture<'_> {
        EventFuture::new(self)
    }

    /// Waits until the event is set. The call counts as an operation even if it need not wait, so
    /// that a loop of such calls lets other fibers run.
    #[inline]
    #[track_caller]
    pub(super) fn wait_within(
        &self,
        limit: Limit,
        reason: &'static WaitReason,
    ) -> Result<(), Interrupt> {
        if !self.is_set() {
            return self.wait_in_line(limit.instant(), reason);
        }
        count_operation();
        Ok(())
    }

    /// Waits in the queue until the event is set, unless it is set by now. Does not count as an
    /// operation.
    #[cold]
    #[track_caller]
    pub(crate) fn wait_in_line(
        &self,
        by: Option<Instant>,
        reason: &'static WaitReason,
    ) -> Result<(), Interrupt> {
        match self.join_line(|| Arc::new(Waiter::new(()))) {
            Some(waiter) => wait(self, &waiter, by, reason).map(drop),
            None => Ok(()),
        }
    }

    /// Puts the waiter that `new` makes into the queue, unless the event is set.
    fn join_line(&self, new: impl FnOnce() -> Arc<Waiter>) -> Option<Arc<Waiter>> {
        let mut queue = locked(&self.queue);
        let not_set = |word| (word != SET).then_some(WAITERS);
        self.word.fetch_update(Ordering::Acquire, Ordering::Acquire, not_set).ok()?;
        let waiter = new();
        queue.push(waiter.clone());
        Some(waiter)
    }
}

/// An event as one of several things that a fiber waits for.
pub(crate) struct EventArm<'a> {
    event: &'a Event,
    /// The waiter in the queue, while the fiber waits.
    waiter: Cell<Option<Arc<Waiter>>>,
    /// Whether the event was set when the wait began.
    was_set: Cell<bool>,
}

impl Event {
    pub(crate) fn arm(&self) -> EventArm<'_> {
        EventArm { event: self, waiter: Cell::new(None), was_set: Cell::new(false) }
    }
}

impl Arm for EventArm<'_> {
    fn attempt(&mut self, _: CurrentFiber) -> bool {
        self.event.is_set()
    }

    fn begin(&self, _: CurrentFiber) {
        let waiter = self.event.join_line(|| Arc::new(Waiter::new(())));
        self.was_set.set(waiter.is_none());
        self.waiter.set(waiter);
    }

    fn demands(&self) -> Demands {
        Demands::SHARED
    }

    fn done(&self) -> Option<Done> {
        let waiter = self.waiter.take();
        let served = waiter.as_ref().is_some_and(|waiter| !waiter.waits());
        self.waiter.set(waiter);
        (served || self.was_set.get()).then_some(Done::Happened)
    }

    fn end(&self) {
        if let Some(waiter) = self.waiter.take() {
            self.event.withdraw(&waiter);
        }
    }
}

/// The wait of a future that owns the event. The future passes the same event to each call, and
/// leaves it before this is dropped.
pub(crate) struct EventWait(WaitState<()>);

impl EventWait {
    pub(crate) fn new() -> EventWait {
        EventWait(WaitState::new(()))
    }

    /// Returns `Ready` once the event is set.
    pub(crate) fn poll(&mut self, event: &Event, cx: &Context<'_>) -> Poll<()> {
        self.0.poll(event, cx).map(drop)
    }

    pub(crate) fn leave(&mut self, event: &Event) {
        self.0.leave(event);
    }
}

impl Grants for Event {
    fn grant(&self, (): ()) -> bool {
        self.is_set()
    }

    fn queue_task(&self, waiter: &Arc<Waiter>) -> Option<WaitOutcome> {
        let queued = self.join_line(|| waiter.clone());
        queued.is_none().then_some(WaitOutcome::Served)
    }

    fn give_back(&self, (): ()) {}
}

impl Site for Event {
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

impl Default for Event {
    fn default() -> Event {
        Event::new()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = locked(&self.queue).len();
        f.debug_struct("Event").field("is_set", &self.is_set()).field("waiting", &waiting).finish()
    }
}
