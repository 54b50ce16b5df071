//! Support for the tests of channels: a trace to print into, and values that count their drops.

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::rc::Rc;

/// The events so far, in order. Clones write into the same trace.
#[derive(Clone, Default)]
pub(crate) struct Trace(Rc<RefCell<Vec<String>>>);

impl Trace {
    pub(crate) fn say(&self, what: impl Display) {
        self.0.borrow_mut().push(what.to_string());
    }

    /// Returns the trace so far, and empties it.
    pub(crate) fn take(&self) -> String {
        self.0.take().join(" ")
    }
}

/// Makes values and counts those that were not dropped yet. A second drop of a value is detected.
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
    /// Returns the next value; the first has the number 1.
    pub(crate) fn value(&self) -> Counted {
        self.made.set(self.made.get() + 1);
        Counted { number: self.made.get(), dropped: self.dropped.clone() }
    }

    /// Returns the numbers of the dropped values, in the order of the drops.
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
