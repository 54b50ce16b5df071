//! What all handles share by which other threads reach one fiber.
//!
//! Invariants:
//! - The fiber's key names it and nothing else, or, in a token of a fiber that had ended already, nothing.
//! - Only the fiber's own thread makes the count of handles grow from zero.
//! - While `unparked` is set an unpark is in the mailbox, or about to be put there by the thread that has
//!   set it, which has a handle. So there is at most one, however often the fiber is unparked.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use crate::collections::locked::locked;
use crate::collections::orders::Orders;
use crate::collections::slot_table::Key;
use crate::fiber::id::FiberId;

/// See the file's head.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) key: Key,
    pub(crate) id: FiberId,
    handles: AtomicUsize,
    unparked: AtomicBool,
    orders: Mutex<Orders>,
}

impl Token {
    /// A token without handles.
    pub(crate) fn new(key: Key, id: FiberId) -> Token {
        Token {
            key,
            id,
            handles: AtomicUsize::new(0),
            unparked: AtomicBool::new(false),
            orders: Mutex::default(),
        }
    }

    /// Counts one more handle.
    pub(crate) fn hold(&self) {
        self.handles.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one handle less. Returns whether it was the last: the fiber's scheduler must look again then.
    #[must_use]
    pub(crate) fn release(&self) -> bool {
        // The release: the one that sees that it is gone sees what was posted by it.
        self.handles.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Whether there are handles.
    pub(crate) fn is_held(&self) -> bool {
        self.handles.load(Ordering::Acquire) != 0
    }

    /// Notes an unpark. Returns whether it is the first since the last [`take_unpark`](Token::take_unpark),
    /// and must be posted.
    #[must_use]
    pub(crate) fn note_unpark(&self) -> bool {
        !self.unparked.swap(true, Ordering::AcqRel)
    }

    /// The unpark is being delivered. What was written before any of those that were merged into it is seen
    /// from here on.
    pub(crate) fn take_unpark(&self) {
        self.unparked.swap(false, Ordering::AcqRel);
    }

    /// What is asked of the fiber and not yet done. Nothing under this lock waits or runs user code.
    pub(crate) fn orders(&self) -> MutexGuard<'_, Orders> {
        locked(&self.orders)
    }
}
