//! The order in which a release serves the waiters of a lock: it hands the lock to the first
//! waiter, or leaves the lock free and lets the first waiter compete for it.
//!
//! A waiter of another thread may need 50 µs until it runs. If it owned the lock during that time,
//! two threads could use a lock no faster than they can wake each other. So a release does this:
//!
//! ```text
//!   the first waiter is ...                            the release ...
//!   a fiber of the scheduler of the releasing thread   hands over
//!   elsewhere, and has waited for HAND_OVER_AFTER      hands over
//!   elsewhere, and has waited less                     frees the lock, and wakes the waiter
//! ```
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
//! Fibers of the scheduler of a waiter that competes do not take the lock before it: they join the
//! queue. So they get the lock in the order in which they asked for it, like the fibers of a
//! program with one scheduler.
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
use std::time::{Duration, Instant};

use crate::sched::lowlevel::{Clock, Owner, RealClock};
use crate::sync::queue::Queue;
use crate::sync::waiter::Waiter;

/// The time after which a waiter of another thread gets the lock by the next release, although it
/// does not run yet.
///
/// It must be long beside the time that it takes to wake a thread, about 50 µs, during which a lock
/// that was handed over is held by no running code. It bounds how long a waiter is overtaken, so it
/// must be short for a person. Other libraries have the same value.
const HAND_OVER_AFTER: Duration = Duration::from_micros(500);

/// The number of looks at a lock that another thread holds, before a caller joins the queue or a
/// waiter sleeps again. Together they take less time than a wake.
const LOOKS: u32 = 100;

impl<X> Queue<X> {
    /// Returns whether a release on this thread must hand the lock to the first waiter, if there is
    /// one: because that waiter is a fiber of this thread's scheduler, or has waited for long.
    pub(super) fn first_is_due(&self) -> bool {
        let Some(first) = self.front() else { return false };
        if first.is_near() {
            return true;
        }
        let now = RealClock.now();
        self.start_clocks(now);
        first.has_waited(now, HAND_OVER_AFTER)
    }

    /// Starts the clocks of all waiters that have none: from now on, others may overtake them.
    ///
    /// Before that, each release has handed over in the order of the queue, and reading the clock
    /// would cost half as much as handing over.
    pub(super) fn start_clocks(&self, now: Instant) {
        // All waiters before one whose clock runs have theirs running, too.
        let _ = self.backwards().take_while(|waiter| waiter.start_clock(now)).count();
    }

    /// Appends `waiter`, whose caller has found the lock in use by another thread.
    pub(super) fn push_timed(&mut self, waiter: std::sync::Arc<Waiter<X>>) {
        self.push(waiter);
        self.start_clocks(RealClock.now());
    }
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

/// Calls `attempt` several times, until it returns true. Returns whether it did.
pub(super) fn persist(mut attempt: impl FnMut() -> bool) -> bool {
    for _ in 0..LOOKS {
        if attempt() {
            return true;
        }
        hint::spin_loop();
    }
    false
}
