//! How many unused stacks a pool keeps, and when it looks for those that nothing has needed lately.
//!
//! Invariant: times are in microseconds on the clock of the pool's owner.

use super::size::SizeClass;

/// The number of unused stacks that the scheduler's pool keeps forever, unless a builder sets
/// another one. They hold a page each, as a rule.
const AT_LEAST: usize = 64;

/// The length of a period. What no fiber needed in one is halved at its end.
const PERIOD: u64 = 500_000;

/// The time between two slices of stacks that are given back while fibers run.
const BETWEEN_SLICES: u64 = 1_000;

/// The most stacks that are given back without a look at anything else. Freeing their pages takes
/// about 0.2 ms.
pub(super) const SLICE: usize = 512;

/// How many unused stacks a pool keeps.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Keep {
    /// How many stacks of which class are kept however long nothing needs them. `None` for a pool
    /// without a clock, which keeps as many as it may of each class.
    at_least: Option<(SizeClass, usize)>,
    /// The most unused stacks, of all classes together.
    at_most: usize,
    /// The most bytes of unused stacks, of all classes together, each counted at its full size.
    bytes: usize,
}

impl Keep {
    /// Keeps a fixed number of each class: for pools whose owner has no clock.
    pub(crate) const FIXED: Keep = Keep { at_least: None, at_most: usize::MAX, bytes: usize::MAX };

    /// Follows the recent peak of stacks in use. `class` is the one that most fibers have.
    pub(crate) const fn recent(class: SizeClass) -> Keep {
        Keep { at_least: Some((class, AT_LEAST)), ..Keep::FIXED }
    }

    /// Keeps that many stacks of the class that most fibers have.
    pub(crate) fn at_least(self, count: usize) -> Keep {
        Keep { at_least: self.at_least.map(|(class, _)| (class, count)), ..self }
    }

    /// Keeps at most that many stacks.
    pub(crate) fn at_most(self, count: usize) -> Keep {
        Keep { at_most: count, ..self }
    }

    /// Keeps at most that many bytes of stacks.
    pub(crate) fn bytes(self, bytes: usize) -> Keep {
        Keep { bytes, ..self }
    }

    /// Makes `class` the one that most fibers have.
    pub(crate) fn of_class(self, class: SizeClass) -> Keep {
        Keep { at_least: self.at_least.map(|(_, count)| (class, count)), ..self }
    }

    /// Returns whether there are limits for all classes together.
    pub(super) fn is_limited(&self) -> bool {
        self.at_most != usize::MAX || self.bytes != usize::MAX
    }

    /// Returns how many unused stacks of `class` are kept forever.
    pub(super) fn floor(&self, class: SizeClass) -> usize {
        let count = match self.at_least {
            None => fixed(class.bytes()),
            Some((of, count)) if of == class => count,
            Some(_) => 0,
        };
        count.min(self.at_most).min(self.bytes / class.bytes())
    }

    /// Returns the most unused stacks of `class`, whatever there is of other classes.
    fn ceiling(&self, class: SizeClass) -> usize {
        if self.at_least.is_none() || LARGE <= class.bytes() {
            fixed(class.bytes())
        } else {
            usize::MAX
        }
    }

    /// Returns how many more stacks of `class` a pool may keep that has `own` of that class, `all`
    /// of all classes, and `bytes` of them.
    pub(super) fn room(&self, class: SizeClass, own: usize, all: usize, bytes: usize) -> usize {
        let by_class = self.ceiling(class).saturating_sub(own);
        let by_count = self.at_most.saturating_sub(all);
        let by_bytes = self.bytes.saturating_sub(bytes) / class.bytes();
        by_class.min(by_count).min(by_bytes)
    }
}

/// The size from which on stacks are limited by their bytes. A larger stack is only used by a fiber
/// that asked for it, and may have touched much of it.
const LARGE: usize = 2 << 20;

/// Returns how many unused stacks of `bytes` bytes a pool keeps that cannot see what was needed
/// lately; and the most of a large class in every pool.
///
/// Most stacks have touched a page or two of their addresses, so up to a megabyte their number
/// matters and their size does not.
pub(super) const fn fixed(bytes: usize) -> usize {
    /// The memory that all of them would hold if each had been used to its far end.
    const WARM_BYTES: usize = 256 << 20;
    match WARM_BYTES / bytes {
        4096.. => 4096,
        ..1024 if bytes < LARGE => 1024,
        count => count,
    }
}

/// Other memory of a thread, which is given back in the same periods as its stacks.
pub(crate) trait Tended {
    /// Decides how much of the memory that was not needed in the period that ends goes back.
    fn end_period(&self);

    /// Gives a slice of that back. Returns whether there is more.
    fn give_slice_back(&self) -> bool;

    /// Returns whether the end of the period matters to it: it holds more than it keeps forever.
    fn is_stirred(&self) -> bool;
}

/// When a pool is to be looked at.
#[derive(Debug)]
pub(super) struct Periods {
    /// When the present period began.
    began: u64,
    /// When to look next: [`Periods::NEVER`] while nothing is stirred, [`Periods::SOON`] if the
    /// first period has not begun.
    due: u64,
}

impl Periods {
    const NEVER: u64 = u64::MAX;
    const SOON: u64 = 0;

    /// No period is under way.
    pub(super) const fn none() -> Periods {
        Periods { began: 0, due: Periods::NEVER }
    }

    /// Returns whether something is to be done by `now`.
    #[inline(always)]
    pub(super) fn is_due(&self, now: u64) -> bool {
        self.due <= now
    }

    /// Returns when something is to be done next.
    pub(super) fn due(&self) -> Option<u64> {
        (self.due != Periods::NEVER).then_some(self.due)
    }

    /// Makes periods begin at the next look, unless they have begun already.
    pub(super) fn stir(&mut self) {
        if self.due == Periods::NEVER {
            self.due = Periods::SOON;
        }
    }

    /// Returns how many periods have ended by `now`, and begins the next one.
    pub(super) fn ended_by(&mut self, now: u64) -> u64 {
        if self.due == Periods::SOON {
            self.began = now;
        }
        let ended = now.saturating_sub(self.began) / PERIOD;
        self.began += ended * PERIOD;
        ended
    }

    /// Sets the next look, after one at `now`: for the next slice, for the end of the period, or
    /// never.
    pub(super) fn look_again(&mut self, now: u64, slices_left: bool, stirred: bool) {
        let end = self.began + PERIOD;
        self.due = match (slices_left, stirred) {
            (true, _) => end.min(now + BETWEEN_SLICES),
            (false, true) => end,
            (false, false) => Periods::NEVER,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_fixed_number_counts_common_stacks_and_the_bytes_of_large_ones() {
        let kib = [16, 64, 128, 256, 512, 1024].map(|kib| fixed(kib << 10));
        assert_eq!(kib, [4096, 4096, 2048, 1024, 1024, 1024]);
        assert_eq!([2, 8, 256, 512, 1024].map(|mib| fixed(mib << 20)), [128, 32, 1, 0, 0]);
    }

    #[test]
    fn only_the_common_class_has_a_floor_and_only_large_ones_a_ceiling() {
        let common = SizeClass::for_bytes(256 << 10);
        let keep = Keep::recent(common);
        assert_eq!([common, SizeClass::MAIN].map(|class| keep.floor(class)), [AT_LEAST, 0]);
        assert_eq!(
            keep.room(common, 1 << 20, 1 << 20, 1 << 38),
            usize::MAX / common.bytes() - (1 << 20)
        );
        assert_eq!(keep.room(SizeClass::MAIN, 30, 30, 240 << 20), 2);
        assert_eq!(keep.at_most(10).floor(common), 10);
        assert_eq!(keep.bytes(1 << 20).floor(common), 4);
    }

    #[test]
    fn a_look_begins_the_first_period_and_the_last_one_ends_all() {
        let mut periods = Periods::none();
        assert!(!periods.is_due(u64::MAX - 1) && periods.due().is_none());
        periods.stir();
        assert!(periods.is_due(0));
        assert_eq!(periods.ended_by(700), 0);
        periods.look_again(700, false, true);
        assert_eq!(periods.due(), Some(700 + PERIOD));
        periods.stir();
        assert_eq!(periods.due(), Some(700 + PERIOD));
        assert_eq!(periods.ended_by(700 + PERIOD), 1);
        periods.look_again(700 + PERIOD, true, true);
        assert_eq!(periods.due(), Some(700 + PERIOD + BETWEEN_SLICES));
        periods.look_again(701 + PERIOD, false, false);
        assert_eq!(periods.due(), None);
    }

    proptest! {
        #[test]
        fn every_period_is_counted_once(looks in prop::collection::vec(0u64..3_000_000, 1..50)) {
            let mut periods = Periods::none();
            periods.stir();
            let (mut now, mut ended) = (123, 0);
            periods.ended_by(now);
            periods.look_again(now, false, true);
            for pause in looks {
                now += pause;
                ended += periods.ended_by(now);
                periods.look_again(now, false, true);
                prop_assert_eq!(ended, (now - 123) / PERIOD);
                prop_assert!(now < periods.due().unwrap());
                prop_assert!(periods.due().unwrap() <= now + PERIOD);
            }
        }

        #[test]
        fn the_room_is_within_every_limit(
            class in 0usize..SizeClass::COUNT,
            (at_most, bytes) in (0usize..1000, 0usize..1 << 32),
            (own, others) in (0usize..1000, 0usize..1000),
        ) {
            let class = SizeClass::from_index(class);
            let keep = Keep::recent(SizeClass::DEFAULT).at_most(at_most).bytes(bytes);
            let held = own * class.bytes();
            let room = keep.room(class, own, own + others, held);
            prop_assert!(room == 0 || own + others + room <= at_most);
            prop_assert!(room == 0 || held + room * class.bytes() <= bytes);
            prop_assert!(keep.floor(class) <= at_most);
        }
    }
}
