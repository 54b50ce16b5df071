//! A scheduler's notes for the question whether another thread may still wake a fiber: the fibers of
//! which others have a handle, and the last answers. The search is
//! [`witness`](crate::sched::deadlock::witness).
//!
//! Invariants:
//! - A witness is checked again each time, and never trusted.
//! - The list of fibers that others may reach is at most twice as long as it must be.

use crate::collections::slot_table::{Key, SlotTable};
use crate::fiber::header::FiberPtr;

/// Why a wait without a deadline is no deadlock.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Witness {
    /// A fiber of which others have an unparker, or another handle.
    Reachable(Key),
    /// A fiber in a choice over something that threads share.
    Chooser(Key),
    /// A wait that others may complete, by its place in the scheduler's list.
    Outside(Key),
}

/// What a scheduler keeps of its searches.
#[derive(Debug)]
pub(crate) struct Witnesses {
    /// The last that were found, the latest first.
    pub(crate) recent: [Option<Witness>; RECENT],
    /// Fibers that others may hold a handle of.
    reachable: Vec<Key>,
    /// Where in `reachable` the next look begins.
    next: usize,
    /// How long `reachable` may get before those that are gone are taken out.
    sweep_at: usize,
}

const RECENT: usize = 4;
const FIRST_SWEEP: usize = 64;

impl Witnesses {
    pub(crate) const fn new() -> Witnesses {
        Witnesses { recent: [None; RECENT], reachable: Vec::new(), next: 0, sweep_at: FIRST_SWEEP }
    }

    /// Puts `witness` in front of those that were there.
    pub(crate) fn remember(&mut self, witness: Witness) {
        let before = self.recent.iter().position(|known| *known == Some(witness));
        let end = before.unwrap_or(RECENT - 1);
        self.recent[..=end].rotate_right(1);
        self.recent[0] = Some(witness);
    }

    /// Lists `fiber`, which is in `table`, among those that others may reach.
    pub(crate) fn note_reachable(&mut self, fiber: FiberPtr, table: &SlotTable<FiberPtr>) {
        if fiber.with_extra(|extra| std::mem::replace(&mut extra.reachable, true)) {
            return;
        }
        if self.sweep_at <= self.reachable.len() {
            self.sweep(table);
        }
        self.reachable.push(fiber.key.get());
    }

    /// Takes those out of the list that no other thread can reach any more.
    #[cold]
    fn sweep(&mut self, table: &SlotTable<FiberPtr>) {
        self.reachable.retain(|&key| table.get(key).is_some_and(|fiber| stays_listed(*fiber)));
        self.sweep_at = FIRST_SWEEP.max(self.reachable.len() * 2);
    }

    /// Looks for a fiber that others may wake, from where the last look has ended, once round.
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

/// Whether others have a handle of `fiber`. If none has, it is not listed any more.
fn stays_listed(fiber: FiberPtr) -> bool {
    fiber.with_extra(|extra| {
        let mut tokens = extra.unparkers.iter().chain(&extra.commanders);
        extra.reachable = tokens.any(|token| token.is_held());
        extra.reachable
    })
}
