//! The record that all handles share with which other threads reach one fiber.
//!
//! Invariants:
//! - The key identifies this fiber, or no fiber if it had ended already when the token was made.
//! - Only the fiber's own thread increments the count of handles from zero.
//! - While `unparked` is set an unpark is in the mailbox, or the thread that has set it, which has
//!   a handle, is about to put it there. So there is at most one, however often the fiber is
//!   unparked.

#[cfg(loom)]
use loom::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::atomic::Ordering;
#[cfg(not(loom))]
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Mutex, MutexGuard};

use crate::collections::locked::locked;
use crate::collections::orders::Orders;
use crate::collections::slot_table::Key;
use crate::fiber::id::FiberId;

/// The state that all remote handles of one fiber share.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) key: Key,
    pub(crate) id: FiberId,
    handles: AtomicUsize,
    unparked: AtomicBool,
    orders: Mutex<Orders>,
}

impl Token {
    /// Creates a token without handles.
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

    /// Counts one handle less. Returns whether it was the last one: then the fiber's scheduler must
    /// check again whether another thread can wake the fiber.
    #[must_use]
    pub(crate) fn release(&self) -> bool {
        // The ordering `Release`: a thread that sees the lower count also sees the messages that
        // this handle has posted.
        self.handles.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Returns whether there are handles.
    pub(crate) fn is_held(&self) -> bool {
        self.handles.load(Ordering::Acquire) != 0
    }

    /// Records an unpark. Returns whether it is the first one since the last
    /// [`take_unpark`](Token::take_unpark), and must be posted.
    #[must_use]
    pub(crate) fn note_unpark(&self) -> bool {
        !self.unparked.swap(true, Ordering::AcqRel)
    }

    /// Clears the record of the unpark, which is being delivered. From here on the fiber's thread
    /// sees the writes that preceded each of the unparks that were merged into it.
    pub(crate) fn take_unpark(&self) {
        self.unparked.swap(false, Ordering::AcqRel);
    }

    /// Locks the orders that other threads have given to the fiber and that are not carried out so
    /// far. Code under this lock neither waits nor runs user code.
    pub(crate) fn orders(&self) -> MutexGuard<'_, Orders> {
        locked(&self.orders)
    }
}
