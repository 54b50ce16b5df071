//! When a scheduler looks for locks that are never released: its own notes, and the flag by which
//! other schedulers ask for a look. The search is [`circles`](crate::sched::deadlock::circles).

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a wait for a lock lasts before it is looked at.
pub(crate) const PATIENCE: Duration = Duration::from_millis(20);

/// What a scheduler knows of its looks.
#[derive(Debug)]
pub(crate) struct Circles {
    /// A wait for a lock has begun since the last look.
    pub(crate) began: Cell<bool>,
    /// When to look, in real time.
    pub(crate) due: Cell<Option<Instant>>,
    pub(crate) patience: Cell<Duration>,
    /// For a clock that jumps.
    pub(crate) credit: Cell<usize>,
    /// The registry has it that nothing but the release of a lock can wake this scheduler.
    pub(crate) closed: Cell<bool>,
    /// Another scheduler wants a look.
    pub(crate) asked: Arc<AtomicBool>,
    /// It was said that there are such waits, where none can fail.
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

    /// A wait for a lock begins, or depends on others than before.
    #[inline]
    pub(crate) fn wait_began(&self) {
        self.began.set(true);
    }

    /// Whether there may be something to look at.
    #[inline]
    pub(crate) fn is_of_interest(&self) -> bool {
        // In one order with the announcement that the thread sleeps, as the one that asks looks at that.
        self.began.get() || self.asked.load(Ordering::SeqCst)
    }
}
