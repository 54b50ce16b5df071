//! The state that decides when a scheduler looks for locks that are never released: its own
//! records, and the flag with which other schedulers ask for a look. The search itself is
//! [`circles`](crate::sched::deadlock::circles).

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The least [`Circles::patience`]: most waits for locks are shorter.
pub(crate) const PATIENCE: Duration = Duration::from_millis(20);

/// The state of one scheduler's looks.
#[derive(Debug)]
pub(crate) struct Circles {
    /// Whether a wait for a lock has begun since the last look.
    pub(crate) began: Cell<bool>,
    /// When to look next, in real time.
    pub(crate) due: Cell<Option<Instant>>,
    /// The real time from the first turn that has something to look at until the look.
    pub(crate) patience: Cell<Duration>,
    /// With a clock that jumps: the number of waits that the next look may read.
    pub(crate) credit: Cell<usize>,
    /// Whether the registry lists this scheduler as closed: only the release of a lock can wake it.
    pub(crate) closed: Cell<bool>,
    /// Whether another scheduler has asked for a look.
    pub(crate) asked: Arc<AtomicBool>,
    /// Whether a report was printed that such waits exist and that none of them can fail.
    pub(crate) reported: Cell<bool>,
}

impl Circles {
    pub(crate) fn new(asked: Arc<AtomicBool>) -> Circles {
        Circles {
            began: Cell::new(false),
            due: Cell::new(None),
            patience: Cell::new(PATIENCE),
            credit: Cell::new(0),
            closed: Cell::new(false),
            asked,
            reported: Cell::new(false),
        }
    }

    /// Notes that a wait for a lock begins, or that the owners on which it depends have changed.
    #[inline]
    pub(crate) fn wait_began(&self) {
        self.began.set(true);
    }

    /// Returns whether there may be something to look at.
    #[inline]
    pub(crate) fn is_of_interest(&self) -> bool {
        // SeqCst: this read must be in one total order with the announcement that the thread
        // sleeps, because the scheduler that asks sets the flag and then reads the announcement.
        self.began.get() || self.asked.load(Ordering::SeqCst)
    }
}
