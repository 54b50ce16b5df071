//! Hooks that run at the end of a fiber. Only its joiner and its scope learn of the end in another
//! way. Groups, pools, races, streams of results and completions use hooks.
//!
//! Invariants:
//! - A hook is plain data. It runs no user code when it is called, and none when it is dropped:
//!   both happen after the last user code of the fiber, or in the run loop.
//! - Each hook is called once, when the fiber has ended or was abandoned, and is removed by that.
//! - A fiber may have any number of hooks. They are called in the order in which they were added.

use std::fmt;
use std::rc::Rc;

use crate::collections::slot_table::Key;

/// A receiver of the ends of fibers.
pub(crate) trait EndHook: fmt::Debug {
    /// Records the end of a fiber, or that it never runs again: `key` is the one with which this
    /// hook was added to it.
    fn ended(&self, key: Key);
}

/// A hook in the record of one fiber.
#[derive(Debug)]
pub(crate) struct Hook {
    pub(crate) to: Rc<dyn EndHook>,
    pub(crate) key: Key,
}

/// The hooks of one fiber, in the order in which they are called.
#[derive(Debug, Default)]
pub(crate) struct Hooks {
    /// The first hook. It is kept outside the vector, because most fibers have one hook at most,
    /// which needs no allocation then.
    first: Option<Hook>,
    more: Vec<Hook>,
}

impl Hooks {
    pub(crate) fn push(&mut self, hook: Hook) {
        match self.first {
            None => self.first = Some(hook),
            Some(_) => self.more.push(hook),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}

impl IntoIterator for Hooks {
    type Item = Hook;
    type IntoIter = std::iter::Chain<std::option::IntoIter<Hook>, std::vec::IntoIter<Hook>>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.more)
    }
}
