//! The order in which a release serves the waiters of a lock: it hands the lock to the first
//! waiter, or leaves the lock free and lets the first waiter compete for it.
//!
//! A waiter of another thread may need 50 µs until it runs. If it owned the lock during that time,
//! two threads could use a lock no faster than they can wake each other. So a release does this:
//!
//! ```text
//!   the first waiter is ...                                        the release ...
//!   a fiber of the scheduler of the releasing thread, no clock     hands over
//!   a task, no clock                                               hands over
//!   any waiter whose clock has run for HAND_OVER_AFTER             hands over
//!   any other                                                      frees the lock, and wakes it
//! ```
//!
//! The clock of a waiter starts when it queues, if another thread uses the lock then; otherwise at
//! the first release by another thread. So only a lock that several threads use is ever free while
//! it has waiters.
//!
//! Each lock has two bits in its word:
//!
//! ```text
//!   WAITERS  COMPETES
//!      0        0       the queue is empty
//!      1        0       the next release looks at the queue; newcomers join the queue
//!      1        1       the first waiter was woken, and will look at the lock: newcomers may take
//!                       the lock while it is free, and a release need not look at the queue
//! ```
//!
//! Fibers of the scheduler of the first waiter do not take the lock before it: they let it run
//! first, which keeps their order without queueing again.
//!
//! When a release lets a waiter of another thread compete, it also wakes the first waiter of its
//! own scheduler. If that fiber finds the lock free, it takes it, leaves the queue, and wakes the
//! next one of its scheduler. Otherwise one fiber, the last one before the waiters of other
//! threads, would have the lock for itself, again and again, and each of the others would get it
//! once.
//!
//! Invariants:
//! - While `WAITERS` is set and `COMPETES` is not, the word changes only under the lock of the
//!   queue, and the first waiter cannot get the lock.
//! - `COMPETES` is set under the lock of the queue, together with a wake of the first waiter. That
//!   waiter, in [`Site::compete`], takes the lock, or clears the bit, so that the next release
//!   looks at the queue. If it is withdrawn, the withdrawal does one of these for the next waiter.
//!   So no wake is lost, whatever happens to a waiter that was woken.
//! - In a program with one scheduler and no other threads each release hands over.
//!
//! [`Site::compete`]: crate::sync::waiter::Site::compete

use std::hint;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, MutexGuard, OnceLock};
use std::time::Instant;

use crate::sched::lowlevel::{Clock, Owner, RealClock, go_last, try_current_fiber};
use crate::sync::queue::Queue;
use crate::sync::waiter::{Served, Waiter};

/// The time in microseconds after which a waiter of another thread gets the lock by the next
/// release, although it does not run yet.
///
/// It must be long beside the time that it takes to wake a thread, about 50 µs, during which a lock
/// that was handed over is held by no running code. It bounds how long a waiter is overtaken, so it
/// must be short for a person. Other libraries have the same value.
const HAND_OVER_AFTER: u64 = 500;

/// The number of looks at a lock that another thread uses, before a caller joins the queue or a
/// waiter sleeps again. The pauses between them grow, so that the other thread keeps the memory of
/// the lock in its cache; together they take about as long as a wake.
const LOOKS: u32 = 12;

/// The longest pause between two looks.
const LONGEST_PAUSE: u32 = 32;

impl<X> Queue<X> {
    /// Returns whether a release on this thread must hand the lock to the first waiter, if there is
    /// one: because only fibers of this thread's scheduler have used the lock since that waiter
    /// came, or because it has waited for long.
    pub(super) fn first_is_due(&self) -> bool {
        let Some(first) = self.front() else { return false };
        // Which thread will poll a task is not known. It may be this one.
        if (first.is_near() || first.task().is_some()) && !first.has_clock() {
            return true;
        }
        self.start_clocks();
        HAND_OVER_AFTER <= first.waited(now())
    }

    /// Starts the clocks of all waiters that have none: from now on, others may overtake them.
    ///
    /// Before that, each release has handed over in the order of the queue, and reading the clock
    /// would cost half as much as handing over.
    fn start_clocks(&self) {
        let now = now();
        // All waiters before one whose clock runs have theirs running, too.
        let _ = self.backwards().take_while(|waiter| waiter.start_clock(now)).count();
    }

    /// Appends `waiter`, whose caller has found the lock in use by another thread.
    #[cold]
    pub(super) fn push_timed(&mut self, waiter: Arc<Waiter<X>>) {
        self.push(waiter);
        self.start_clocks();
    }

    /// Returns the waiters that are fibers of this thread's scheduler, among the first ones.
    pub(super) fn near(&self) -> impl Iterator<Item = &Arc<Waiter<X>>> {
        self.iter().take(MOST_SEARCHED).filter(|waiter| waiter.is_near())
    }

    /// Notes the waiters to be woken when the first one may compete: that one, and the first fiber
    /// of this thread's scheduler. If they are the same, all fibers of this scheduler that wait:
    /// they will run in their order, and each finds the lock free.
    pub(super) fn note_competitors(&self, woken: &mut Served<X>) {
        let Some(first) = self.front() else { return };
        let most = if first.is_near() {
            usize::MAX
        } else {
            woken.push(first.clone());
            1
        };
        self.near().take(most).for_each(|near| woken.push(near.clone()));
    }
}

/// Returns the real time in microseconds since some moment. Never 0.
fn now() -> u64 {
    static BEGINNING: OnceLock<Instant> = OnceLock::new();
    let now = RealClock.now();
    let since = now.saturating_duration_since(*BEGINNING.get_or_init(|| now));
    1 + since.as_micros() as u64
}

/// The scheduler of the first waiter, while that waiter competes; or 0 for a plain thread.
#[derive(Debug)]
pub(super) struct Competitor(AtomicU32);

impl Competitor {
    pub(super) const fn new() -> Competitor {
        Competitor(AtomicU32::new(0))
    }

    /// Notes that `first` competes from now on. The caller has locked the queue, and sets
    /// `COMPETES` afterwards.
    pub(super) fn set(&self, first: Owner) {
        self.0.store(first.scheduler(), Ordering::Relaxed);
    }

    /// Returns whether `newcomer` may take the lock before the waiter that competes.
    ///
    /// If the queue is not locked and changes at the same time, the answer may be about an earlier
    /// waiter: the order of such calls is not defined anyway.
    pub(super) fn may_be_overtaken_by(&self, newcomer: Owner) -> bool {
        newcomer.is_thread() || self.0.load(Ordering::Relaxed) != newcomer.scheduler()
    }
}

/// The number of waiters among which a fiber of this thread's scheduler is searched.
const MOST_SEARCHED: usize = 32;

/// Returns whether `owner`, which holds a lock, belongs to another thread than `me`, the caller.
#[inline]
pub(super) fn is_elsewhere(owner: Owner, me: Owner) -> bool {
    // Most holders are fibers of the same scheduler. Others may have handed their guard on.
    let is_near = !me.is_thread() && owner.scheduler() == me.scheduler();
    !is_near && owner != Owner::TASK && owner.is_elsewhere()
}

/// Lets the first waiter run before the caller, if it is a fiber of the same scheduler. It was
/// woken, but the mail that wakes it may not have been delivered.
///
/// Returns false if the caller should join the queue: because that fiber has something else to do
/// before it competes, or is no longer the first.
#[cold]
pub(super) fn let_near_first_pass<X>(queue: MutexGuard<'_, Queue<X>>) -> bool {
    let first = queue.front().filter(|first| first.is_near()).cloned();
    let near = queue.near().cloned().collect::<Vec<_>>();
    drop(queue);
    let (Some(first), Some(current)) = (first, try_current_fiber()) else { return false };
    near.iter().for_each(|near| near.wake());
    go_last(current);
    !first.waits()
}

/// Calls `attempt` several times, until it returns true. Returns whether it did.
pub(super) fn persist(mut attempt: impl FnMut() -> bool) -> bool {
    let mut pause = 1;
    for _ in 0..LOOKS {
        if attempt() {
            return true;
        }
        (0..pause).for_each(|_| hint::spin_loop());
        pause = LONGEST_PAUSE.min(2 * pause);
    }
    false
}
