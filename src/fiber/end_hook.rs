//! What is told of a fiber's end: by groups, pools, and whatever else waits for several fibers, or from
//! another thread.
//!
//! Invariants:
//! - A hook is plain data. It runs no user code when it is told, and none when it is dropped: both
//!   happen after the last user code of the fiber, or in the run loop.
//! - Each is told once, when the fiber has ended or was retired, and leaves the record with that.

use std::fmt;
use std::rc::Rc;

use crate::collections::slot_table::Key;

/// Something that is told of the ends of fibers.
pub(crate) trait EndHook: fmt::Debug {
    /// A fiber has ended, or never runs again: the one that was given `key` when this was hung on it.
    fn ended(&self, key: Key);
}

/// One thing to be told of one fiber's end.
#[derive(Debug)]
pub(crate) struct Hook {
    pub(crate) to: Rc<dyn EndHook>,
    pub(crate) key: Key,
}

/// The hooks of one fiber, in the order in which they are told.
#[derive(Debug, Default)]
pub(crate) struct Hooks {
    /// Nearly always there is one at most: it needs no allocation of its own.
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
