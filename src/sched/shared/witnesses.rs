//! A scheduler's records for the question whether another thread may still wake a fiber: the fibers
//! to which other threads hold handles, and the latest answers. The search itself is
//! [`witness`](crate::sched::deadlock::witness).
//!
//! Invariants:
//! - A witness is checked again before each use, and never trusted.
//! - A fiber to which others hold an unparker is listed when it parks: if it is not listed, its
//!   [`ParkToken`] tells its next `park` to list it. A fiber to which others hold a handle that
//!   ends any wait is always listed.
//! - The list is at most twice as long as the number of fibers that others may reach.
//!
//! [`ParkToken`]: crate::fiber::park_token::ParkToken

use crate::collections::slot_table::{Key, SlotTable};
use crate::fiber::extra::Extra;
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
    /// The fibers to which others may hold a handle that ends what the fiber waits for.
    reachable: Vec<Key>,
    /// The length of `reachable` at which the fibers that others no longer reach are taken out.
    sweep_at: usize,
}

const RECENT: usize = 4;
const FIRST_SWEEP: usize = 64;

impl Witnesses {
    pub(crate) const fn new() -> Witnesses {
        Witnesses { recent: [None; RECENT], reachable: Vec::new(), sweep_at: FIRST_SWEEP }
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
        fiber.token.note_listed();
        if fiber.with_extra(|extra| std::mem::replace(&mut extra.is_listed, true)) {
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
        let stays = |fiber: FiberPtr| {
            fiber.with_extra(|extra| {
                extra.is_listed = extra.is_reachable();
                extra.is_listed
            })
        };
        self.reachable.retain(|&key| table.get(key).is_some_and(|fiber| stays(*fiber)));
        self.sweep_at = FIRST_SWEEP.max(self.reachable.len() * 2);
    }

    /// Finds a fiber that others may wake. Takes those that wait for something else out of the
    /// list: each of them is listed again by its next `park`. So a search takes as much time as the
    /// calls that have listed what it takes out, and does not depend on the number of handles.
    pub(crate) fn find_reachable(
        &mut self,
        table: &SlotTable<FiberPtr>,
        is_waiting: impl Fn(FiberPtr) -> bool,
    ) -> Option<Witness> {
        // The number of entries at the end that stay without being a witness: while `run` ends,
        // orders of other threads have no effect on fibers that were killed.
        let mut kept = 0;
        while let Some(at) = self.reachable.len().checked_sub(kept + 1) {
            let key = self.reachable[at];
            match table.get(key) {
                Some(&fiber) if is_waiting(fiber) => return Some(Witness::Reachable(key)),
                Some(fiber) if fiber.peek_extra(Extra::is_commanded) == Some(true) => kept += 1,
                Some(&fiber) => {
                    self.reachable.swap_remove(at);
                    fiber.with_extra(|extra| extra.is_listed = false);
                    fiber.token.note_unlisted();
                }
                None => {
                    self.reachable.swap_remove(at);
                }
            }
        }
        None
    }
}
