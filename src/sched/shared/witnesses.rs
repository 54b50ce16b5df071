//! A scheduler's records for the question whether another thread may still wake a fiber: the fibers
//! to which other threads hold handles, and the latest answers. The search itself is
//! [`witness`](crate::sched::deadlock::witness).
//!
//! Invariants:
//! - A witness is checked again before each use, and never trusted.
//! - The list of fibers that others may reach is at most twice as long as it must be.

use crate::collections::slot_table::{Key, SlotTable};
use crate::fiber::header::FiberPtr;

/// The reason why a wait without a deadline is no deadlock.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Witness {
    /// A fiber to which others hold an unparker or another handle.
    Reachable(Key),
    /// A fiber in a choice over an object that threads share.
    Chooser(Key),
    /// A wait that others may complete, by its key in the scheduler's list.
    Outside(Key),
}

/// The records that a scheduler keeps between two searches.
#[derive(Debug)]
pub(crate) struct Witnesses {
    /// The witnesses found most recently, the latest first.
    pub(crate) recent: [Option<Witness>; RECENT],
    /// The fibers to which others may hold a handle.
    reachable: Vec<Key>,
    /// The index in `reachable` at which the next search begins.
    next: usize,
    /// The length of `reachable` at which the fibers that others no longer reach are taken out.
    sweep_at: usize,
}

const RECENT: usize = 4;
const FIRST_SWEEP: usize = 64;

impl Witnesses {
    pub(crate) const fn new() -> Witnesses {
        Witnesses { recent: [None; RECENT], reachable: Vec::new(), next: 0, sweep_at: FIRST_SWEEP }
    }

    /// Puts `witness` in front of the others.
    pub(crate) fn remember(&mut self, witness: Witness) {
        let before = self.recent.iter().position(|known| *known == Some(witness));
        let end = before.unwrap_or(RECENT - 1);
        self.recent[..=end].rotate_right(1);
        self.recent[0] = Some(witness);
    }

    /// Lists `fiber`, which is in `table`, among the fibers that others may reach.
    pub(crate) fn note_reachable(&mut self, fiber: FiberPtr, table: &SlotTable<FiberPtr>) {
        if fiber.with_extra(|extra| std::mem::replace(&mut extra.reachable, true)) {
            return;
        }
        if self.sweep_at <= self.reachable.len() {
            self.sweep(table);
        }
        self.reachable.push(fiber.key.get());
    }

    /// Takes the fibers that others no longer reach out of the list.
    #[cold]
    fn sweep(&mut self, table: &SlotTable<FiberPtr>) {
        self.reachable.retain(|&key| table.get(key).is_some_and(|fiber| stays_listed(*fiber)));
        self.sweep_at = FIRST_SWEEP.max(self.reachable.len() * 2);
    }

    /// Finds a fiber that others may wake. Starts where the last search ended, and goes round the
    /// list once.
    pub(crate) fn find_reachable(
        &mut self,
        table: &SlotTable<FiberPtr>,
        is_waiting: impl Fn(FiberPtr) -> bool,
    ) -> Option<Witness> {
        let mut left = self.reachable.len();
        while 0 < left {
            left -= 1;
            if self.reachable.len() <= self.next {
                self.next = 0;
            }
            let key = self.reachable[self.next];
            match table.get(key) {
                Some(&fiber) if stays_listed(fiber) => {
                    if is_waiting(fiber) {
                        return Some(Witness::Reachable(key));
                    }
                    self.next += 1;
                }
                _ => {
                    self.reachable.swap_remove(self.next);
                }
            }
        }
        None
    }
}

/// Returns whether others hold a handle to `fiber`. If not, notes that it is no longer listed.
fn stays_listed(fiber: FiberPtr) -> bool {
    fiber.with_extra(|extra| {
        let mut tokens = extra.unparkers.iter().chain(&extra.commanders);
        extra.reachable = tokens.any(|token| token.is_held());
        extra.reachable
    })
}
