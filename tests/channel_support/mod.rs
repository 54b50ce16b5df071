//! What the channel tests share: a trace to print into, values that count their drops, and the
//! virtual clock.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::rc::Rc;
use std::time::Duration;

/// Runs `f` as the main fiber, on the virtual clock.
pub(crate) fn run<T>(f: impl FnOnce() -> T) -> T {
    fibra::Runtime::builder().virtual_clock().build().unwrap().run(f)
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Spawns a fiber that nobody joins.
pub(crate) fn go<T: 'static>(f: impl FnOnce() -> T + 'static) {
    drop(fibra::spawn(f));
}

/// What happened, in order. Clones write into the same trace.
#[derive(Clone, Default)]
pub(crate) struct Trace(Rc<RefCell<Vec<String>>>);

impl Trace {
    pub(crate) fn say(&self, what: impl Display) {
        self.0.borrow_mut().push(what.to_string());
    }

    /// The trace so far, which starts anew.
    pub(crate) fn take(&self) -> String {
        self.0.take().join(" ")
    }
}

/// Makes values and counts those that were not dropped yet. A second drop of one is noticed.
#[derive(Clone, Default)]
pub(crate) struct Census {
    made: Rc<Cell<usize>>,
    dropped: Rc<RefCell<Vec<usize>>>,
}

/// A value with a number, which is dropped once.
#[derive(Debug)]
pub(crate) struct Counted {
    pub(crate) number: usize,
    dropped: Rc<RefCell<Vec<usize>>>,
}

impl Census {
    /// The next value; the first has the number 1.
    pub(crate) fn value(&self) -> Counted {
        self.made.set(self.made.get() + 1);
        Counted { number: self.made.get(), dropped: self.dropped.clone() }
    }

    /// The numbers of the values that were dropped, in that order.
    pub(crate) fn dropped(&self) -> Vec<usize> {
        self.dropped.borrow().clone()
    }

    /// Panics unless every value was dropped exactly once.
    #[track_caller]
    pub(crate) fn assert_all_dropped_once(&self) {
        let mut dropped = self.dropped();
        dropped.sort_unstable();
        assert_eq!(dropped, (1..=self.made.get()).collect::<Vec<_>>());
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.dropped.borrow_mut().push(self.number);
    }
}
