//! Owns the unused stacks of one class, sorted by how long no fiber has needed them, as plain data.
//!
//! ```text
//!             given back or fetched        not needed since         to be given
//!             in this period               it began                 back
//!                  |                          |                        |
//!   take <-- [ idle ] <-- a few at a time -- [ resting ] <----------- [ leaving ] --> the reserve
//!   give --> [      ]                        [         ]              [         ]
//!
//!   at the end of a period:   idle --> resting -- half of those that were not needed --> leaving
//! ```
//!
//! A take uses what was given back last. So the stacks that are still `resting` at the end of a
//! period are those that no fiber needed in it: the shelf has followed the recent peak of stacks in
//! use, without a count on the path of a take.
//!
//! Invariants:
//! - `take` and `give` use only `idle`. What is below is touched when `idle` is empty, and at the
//!   end of a period.
//! - Each of the three lists has its warmest element last. All of `idle` is warmer than `resting`,
//!   and all of that than `leaving`.
//! - The end of a period leaves enough for the peak of that period: stacks in use and unused ones
//!   together are at least as many as were in use at the same time.

/// Number of elements that are fetched at a time from those that rest. It costs little per element,
/// and the count of those that were not needed is at most that much too low.
const FETCHED: usize = 32;

/// A rest of this many is given back as a whole, so that the periods come to an end soon.
pub(super) const FEW: usize = 64;

/// The unused stacks of one class. (Tests use numbers in the place of stacks.)
#[derive(Debug)]
pub(super) struct Shelf<T> {
    idle: Vec<T>,
    /// The length of `idle` from which on the pool decides whether to keep another one.
    cap: usize,
    resting: Vec<T>,
    leaving: Vec<T>,
    /// Whether the end of the period matters to it: it holds, or lately held, more than it keeps
    /// forever.
    is_stirred: bool,
}

impl<T> Shelf<T> {
    /// Creates an empty shelf that takes `cap` elements without a decision of the pool.
    pub(super) const fn new(cap: usize) -> Shelf<T> {
        Shelf { idle: Vec::new(), cap, resting: Vec::new(), leaving: Vec::new(), is_stirred: false }
    }

    /// Returns how many elements it holds.
    pub(super) fn len(&self) -> usize {
        self.idle.len() + self.resting.len() + self.leaving.len()
    }

    /// Takes the element that was given last, if one was given or fetched in this period.
    #[inline(always)]
    pub(super) fn take(&mut self) -> Option<T> {
        self.idle.pop()
    }

    /// Takes the warmest of those that were not needed so far, when [`take`](Shelf::take) finds
    /// nothing.
    pub(super) fn take_rested(&mut self) -> Option<T> {
        debug_assert!(self.idle.is_empty());
        let from = if self.resting.is_empty() { &mut self.leaving } else { &mut self.resting };
        let rest = from.len().saturating_sub(FETCHED);
        self.idle.extend(from.drain(rest..));
        self.idle.pop()
    }

    /// Gives an element, unless the pool must decide first: then returns it.
    #[inline(always)]
    pub(super) fn give(&mut self, element: T) -> Result<(), T> {
        if self.cap <= self.idle.len() {
            return Err(element);
        }
        self.idle.push(element);
        Ok(())
    }

    /// Gives an element, and takes up to `room` from now on, this one included, without a decision
    /// of the pool. `keep` is the number of elements that it keeps forever.
    pub(super) fn give_and_grow(&mut self, element: T, room: usize, keep: usize) {
        self.cap = self.idle.len() + room;
        self.idle.push(element);
        if keep < self.len() {
            self.is_stirred = true;
        } else if !self.is_stirred {
            self.cap = self.cap.min(keep);
        }
    }

    /// Returns how many elements it takes without a decision of the pool.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.cap.saturating_sub(self.idle.len())
    }

    /// Makes the pool decide about the next element.
    pub(super) fn revoke_room(&mut self) {
        self.cap = self.cap.min(self.idle.len());
    }

    /// Returns the list to which fetched elements are appended, the warmest last.
    pub(super) fn fetch(&mut self) -> &mut Vec<T> {
        &mut self.idle
    }

    pub(super) fn is_stirred(&self) -> bool {
        self.is_stirred
    }

    /// Returns how many elements are to be given back.
    pub(super) fn leaving(&self) -> usize {
        self.leaving.len()
    }

    /// Ends a period: half of the elements that were not needed in it leave, or all if they are
    /// few, but `keep` elements stay.
    pub(super) fn end_period(&mut self, keep: usize) {
        let unneeded = self.resting.len();
        let stay = if unneeded <= FEW { 0 } else { unneeded / 2 };
        let most = (self.idle.len() + unneeded).saturating_sub(keep);
        let leave = (unneeded - stay).min(most);
        self.leaving.extend(self.resting.drain(..leave));
        self.resting.append(&mut self.idle);
        self.cap = 0;
    }

    /// Removes up to `most` of the elements that leave.
    pub(super) fn remove_leaving(&mut self, most: usize) -> Vec<T> {
        self.leaving.split_off(self.leaving.len().saturating_sub(most))
    }

    /// Becomes calm, if it holds at most the `keep` elements that it keeps forever: the ends of
    /// periods do not matter to it then. Returns whether it is calm.
    pub(super) fn calm(&mut self, keep: usize) -> bool {
        if self.len() <= keep {
            self.resting.append(&mut self.idle);
            self.leaving.append(&mut self.resting);
            std::mem::swap(&mut self.idle, &mut self.leaving);
            self.shrink();
            self.cap = self.idle.len();
            self.is_stirred = false;
        }
        !self.is_stirred
    }

    /// Removes all but the `keep` warmest elements.
    pub(super) fn remove_coldest(&mut self, keep: usize) -> Vec<T> {
        let mut all = std::mem::take(&mut self.leaving);
        all.append(&mut self.resting);
        all.append(&mut self.idle);
        self.idle = all.split_off(all.len().saturating_sub(keep));
        self.shrink();
        self.cap = self.idle.len();
        all
    }

    /// Gives the memory of long lists back.
    fn shrink(&mut self) {
        for list in [&mut self.idle, &mut self.resting, &mut self.leaving] {
            if FEW < list.capacity() {
                list.shrink_to(list.len().max(FEW));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A shelf and what a pool would do around it: elements are numbers, given once.
    struct Model {
        shelf: Shelf<u32>,
        keep: usize,
        /// The elements in use, in the order in which they were taken.
        in_use: Vec<u32>,
        /// Number of elements that were ever fetched.
        fetched: u32,
        gone: Vec<u32>,
        /// The most elements in use in this period.
        peak: usize,
    }

    impl Model {
        fn new(keep: usize) -> Model {
            let shelf = Shelf::new(keep);
            Model { shelf, keep, in_use: vec![], fetched: 0, gone: vec![], peak: 0 }
        }

        fn take(&mut self) -> u32 {
            let taken = self.shelf.take().or_else(|| self.shelf.take_rested());
            let taken = taken.unwrap_or_else(|| {
                self.fetched += 1;
                self.fetched
            });
            self.in_use.push(taken);
            self.peak = self.peak.max(self.in_use.len());
            taken
        }

        fn take_one(&mut self) {
            self.take();
        }

        fn give(&mut self, element: u32) {
            if let Err(element) = self.shelf.give(element) {
                self.shelf.give_and_grow(element, 100, self.keep);
            }
        }

        fn give_last(&mut self) {
            if let Some(element) = self.in_use.pop() {
                self.give(element);
            }
        }

        fn give_all(&mut self) {
            while !self.in_use.is_empty() {
                self.give_last();
            }
        }

        /// Ends a period, as a pool does, and gives back what leaves.
        fn end_period(&mut self) {
            if self.shelf.is_stirred() {
                self.shelf.end_period(self.keep);
                let leaving = self.shelf.leaving();
                self.gone.extend(self.shelf.remove_leaving(leaving));
                self.shelf.calm(self.keep);
            }
            self.peak = self.in_use.len();
        }

        /// Asserts that no element was lost or doubled.
        fn assert_whole(&self) {
            let lists = [&self.shelf.idle, &self.shelf.resting, &self.shelf.leaving];
            let unused = lists.into_iter().flatten();
            let mut all: Vec<_> = unused.chain(&self.in_use).chain(&self.gone).copied().collect();
            all.sort_unstable();
            assert!(all.iter().copied().eq(1..=self.fetched), "{:?}", self.shelf);
        }
    }

    #[test]
    fn a_burst_is_given_back_by_halves_and_then_nothing_is_left_to_do() {
        let mut model = Model::new(10);
        (0..100_000).for_each(|_| model.take_one());
        model.give_all();
        let mut lengths = Vec::new();
        while model.shelf.is_stirred() {
            model.end_period();
            lengths.push(model.shelf.len());
            assert!(lengths.len() < 15, "{lengths:?}");
        }
        assert_eq!(lengths[..4], [100_000, 50_000, 25_000, 12_500]);
        assert_eq!(lengths.last(), Some(&10));
        assert_eq!(model.shelf.room(), 0);
        assert!(model.shelf.idle.capacity() <= FEW);
        model.assert_whole();
    }

    #[test]
    fn bursts_that_repeat_within_a_period_stay_warm() {
        let mut model = Model::new(0);
        for _ in 0..20 {
            for _ in 0..5_000 {
                model.take();
            }
            model.give_all();
            model.end_period();
        }
        assert_eq!((model.fetched, model.gone.len()), (5_000, 0));
    }

    #[test]
    fn the_element_given_last_is_taken_first_across_periods() {
        let mut model = Model::new(0);
        let taken: Vec<_> = (0..300).map(|_| model.take()).collect();
        model.give_all();
        model.shelf.end_period(0);
        (0..100).for_each(|_| model.take_one());
        assert_eq!(model.in_use, taken[..100]);
        model.give_all();
        assert_eq!((0..300).map(|_| model.take()).collect::<Vec<_>>(), taken);
    }

    #[test]
    fn what_leaves_is_taken_before_anything_is_fetched() {
        let mut model = Model::new(0);
        (0..200).for_each(|_| model.take_one());
        model.give_all();
        (0..2).for_each(|_| model.shelf.end_period(0));
        assert_eq!((model.shelf.leaving(), model.shelf.len()), (100, 200));
        (0..200).for_each(|_| model.take_one());
        assert_eq!((model.fetched, model.shelf.len()), (200, 0));
    }

    #[test]
    fn a_shelf_within_what_it_keeps_forever_stays_calm() {
        let mut model = Model::new(50);
        for _ in 0..10 {
            (0..50).for_each(|_| model.take_one());
            model.give_all();
            assert!(!model.shelf.is_stirred());
        }
        (0..51).for_each(|_| model.take_one());
        model.give_all();
        assert!(model.shelf.is_stirred());
    }

    /// Steps: take so many, give so many back, or end a period.
    fn steps() -> impl Strategy<Value = Vec<(u8, usize)>> {
        prop::collection::vec((0u8..3, 0usize..400), 1..60)
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_the_peak_of_a_period_stays_warm(
            steps in steps(),
            keep in 0usize..200,
        ) {
            let mut model = Model::new(keep);
            for (step, count) in steps {
                match step {
                    0 => (0..count).for_each(|_| model.take_one()),
                    1 => (0..count).for_each(|_| model.give_last()),
                    _ => {
                        let peak = model.peak;
                        model.end_period();
                        prop_assert!(peak <= model.in_use.len() + model.shelf.len());
                    }
                }
                model.assert_whole();
            }
            // However it came there, it is at rest after a few periods, and keeps what it should.
            model.give_all();
            let most = model.shelf.len();
            for _ in 0..12 {
                model.end_period();
            }
            prop_assert!(!model.shelf.is_stirred());
            prop_assert_eq!(model.shelf.len(), most.min(keep));
            model.assert_whole();
        }

        #[test]
        fn periods_without_use_halve_what_is_left(count in 1usize..5_000, periods in 0u32..12) {
            let mut model = Model::new(0);
            (0..count).for_each(|_| model.take_one());
            model.give_all();
            model.end_period();
            (0..periods).for_each(|_| model.end_period());
            prop_assert!(model.shelf.len() <= count >> periods);
            let kept = count >> periods;
            prop_assert!(kept <= FEW || kept <= model.shelf.len() + 1, "{}", model.shelf.len());
        }
    }
}
