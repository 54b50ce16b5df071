//! What the tests of channels share: a trace to print into, and values that count their drops.

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::rc::Rc;

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
