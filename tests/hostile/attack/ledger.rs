//! Counted values: each must be dropped exactly once.
//!
//! Invariant: a value is an index into a table that is never shortened, so a second drop of a value
//! is detected and does no harm of its own.

use std::sync::{Mutex, MutexGuard, PoisonError};

struct Entry {
    what: &'static str,
    drops: u32,
}

static ENTRIES: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

fn entries() -> MutexGuard<'static, Vec<Entry>> {
    // A guard that is dropped while another fiber of the thread unwinds poisons the lock.
    ENTRIES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A value whose drops are counted.
#[derive(Debug)]
pub(crate) struct Counted(usize);

impl Counted {
    pub(crate) fn new(what: &'static str) -> Counted {
        let mut entries = entries();
        entries.push(Entry { what, drops: 0 });
        Counted(entries.len() - 1)
    }

    /// Returns the identity of this value, which can be queried after the value was dropped.
    pub(crate) fn token(&self) -> Token {
        Token(self.0)
    }
}

impl Clone for Counted {
    fn clone(&self) -> Counted {
        let what = entries()[self.0].what;
        Counted::new(what)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        entries()[self.0].drops += 1;
    }
}

/// The index of a value in the table.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct Token(usize);

impl Token {
    /// Returns whether the value was dropped.
    pub(crate) fn is_dropped(self) -> bool {
        entries()[self.0].drops != 0
    }
}

/// The index at which the values of a combination begin.
#[derive(Clone, Copy)]
pub(crate) struct Page(usize);

impl Page {
    pub(crate) fn open() -> Page {
        Page(entries().len())
    }

    /// Returns the values that were not dropped. Those whose name begins with `~` may be leaked.
    pub(crate) fn left(self) -> Vec<&'static str> {
        let mut left = self.with_drops(|drops| drops == 0);
        left.retain(|what| !what.starts_with('~'));
        left
    }

    /// Returns the values that were dropped twice or more.
    pub(crate) fn dropped_twice(self) -> Vec<&'static str> {
        self.with_drops(|drops| 1 < drops)
    }

    fn with_drops(self, holds: impl Fn(u32) -> bool) -> Vec<&'static str> {
        let entries = entries();
        entries[self.0..]
            .iter()
            .filter(|entry| holds(entry.drops))
            .map(|entry| entry.what)
            .collect()
    }
}
