//! The number of switches between two turns.
//!
//! Invariants:
//! - At most [`LONGEST_BATCH`] fibers run between two turns, so none of them starves events. Where
//!   fibers are slow to yield it is fewer: as many as run in [`BATCH_MICROS`].

use std::cell::Cell;

/// The greatest number of switches between two turns. A power of two.
pub(crate) const LONGEST_BATCH: u64 = 64;

/// A batch is divided into `1 << LOOKS` parts, and the run loop looks for mail between them. A look
/// every 16 quick switches costs nothing measurable, and mail waits for an eighth of
/// [`BATCH_MICROS`] on average where fibers are slow.
const LOOKS: u32 = 2;

/// The time that a batch may take, if it has more than one switch.
const BATCH_MICROS: u64 = 500;

/// The counts from which the length of the next batches is computed.
#[derive(Debug)]
pub(crate) struct Pace {
    /// The number of switches when the clock was last read.
    then: Cell<u64>,
    /// The number of switches in quick batches, since the last slow batch or since the batch grew.
    quick: Cell<u64>,
    /// The number of switches from which on fibers that mail wakes may run before all others.
    mail_from: Cell<u64>,
}

/// Returns the mask of the looks for mail within the batches of `mask`.
pub(crate) const fn look_mask(mask: u64) -> u64 {
    mask >> LOOKS
}

impl Pace {
    pub(crate) const fn new() -> Pace {
        Pace { then: Cell::new(0), quick: Cell::new(0), mail_from: Cell::new(0) }
    }

    /// Returns whether fibers that mail wakes may run before all others after that number of
    /// switches. Otherwise mail that keeps coming would hold up the others.
    #[inline]
    pub(crate) fn mail_may_precede(&self, switches: u64) -> bool {
        self.mail_from.get() <= switches
    }

    /// Records that `woken` fibers were put before all others after that number of switches. As
    /// many others run before that may happen again.
    pub(crate) fn mail_preceded(&self, switches: u64, woken: u64) {
        self.mail_from.set(switches + 2 * woken);
    }

    /// Records that the clock is read at that number of switches. Returns the number of switches
    /// since it was last read.
    #[inline]
    pub(crate) fn lap(&self, switches: u64) -> u64 {
        switches.wrapping_sub(self.then.replace(switches))
    }

    /// Returns the mask of the next batches: a batch ends when these bits of the number of switches
    /// are zero. `mask` is the present one, with which `switches` took `micros`; `queued` returns
    /// the length of the ring.
    ///
    /// If each fiber computes for a millisecond between its yields, a batch of 64 takes 64
    /// milliseconds, and all timers and events wait for it. A batch shrinks immediately. It doubles
    /// after as many quick switches as there are fibers in the ring, or as the longest batch has.
    #[inline]
    pub(crate) fn fit(
        &self,
        mask: u64,
        switches: u64,
        micros: u64,
        queued: impl FnOnce() -> usize,
    ) -> u64 {
        if switches == 0 {
            return mask;
        }
        let fits = switches.saturating_mul(BATCH_MICROS);
        if fits < micros.saturating_mul(mask + 1) {
            self.quick.set(0);
            smaller_batch(fits / micros)
        } else if mask != LONGEST_BATCH - 1 {
            self.grow(mask, switches, queued() as u64)
        } else {
            mask
        }
    }

    #[cold]
    fn grow(&self, mask: u64, quick: u64, queued: u64) -> u64 {
        let quick = self.quick.get() + quick;
        // In a longer ring the longest batch does not reach every fiber.
        let grows = queued.min(LONGEST_BATCH) <= quick;
        self.quick.set(if grows { 0 } else { quick });
        mask << u32::from(grows) | u64::from(grows)
    }
}

/// Returns the mask of the largest batch of up to `switches`: a power of two, and not zero.
#[cold]
fn smaller_batch(switches: u64) -> u64 {
    (1 << switches.max(1).ilog2()) - 1
}
