//! Tests the memory for records: no two blocks overlap, and what is not needed goes back.

#![allow(unsafe_code, reason = "takes and gives blocks as `block.rs` does")]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// A shelf, and the blocks that were taken from it. Each is filled with its number.
struct Model {
    shelf: Shelf,
    in_use: BTreeMap<usize, (NonNull<u8>, u8)>,
    taken: u8,
    /// The most blocks in use at the same time in this period, since the last trim.
    peak: usize,
}

impl Model {
    fn new(size: usize) -> Model {
        let shelf = Shelf::closed(size);
        shelf.open();
        Model { shelf, in_use: BTreeMap::new(), taken: 0, peak: 0 }
    }

    fn take(&mut self) {
        let block = self.shelf.take().unwrap_or_else(|| self.shelf.take_from_chunk());
        let (start, size) = (block.addr().get(), self.shelf.size);
        assert_eq!(start % LINE, 0);
        let below = self.in_use.range(..start + size).next_back();
        assert!(below.is_none_or(|(other, _)| other + size <= start), "two blocks overlap");
        self.taken = self.taken.wrapping_add(1);
        // SAFETY: the block was taken, and has that size.
        unsafe { block.write_bytes(self.taken, size) };
        self.in_use.insert(start, (block, self.taken));
        self.peak = self.peak.max(self.in_use.len());
    }

    /// Gives the block back that is the first at or after a place among those in use.
    fn give(&mut self, place: usize) {
        let keys = self.in_use.len();
        let Some((&start, _)) = self.in_use.iter().nth(place % keys.max(1)) else { return };
        let (block, filled) = self.in_use.remove(&start).unwrap();
        // SAFETY: the block is in use, has that size, and was filled.
        let bytes = unsafe { std::slice::from_raw_parts(block.as_ptr(), self.shelf.size) };
        assert!(bytes.iter().all(|&byte| byte == filled));
        // SAFETY: it was taken from this shelf, and is not used again.
        unsafe { self.shelf.give(block) };
    }

    fn end_period(&mut self) {
        self.shelf.end_period();
        let unused = self.shelf.count.get() - self.shelf.leaving.get();
        // SAFETY: the blocks come from this shelf.
        let of = |(block, _): &(NonNull<u8>, u8)| unsafe { ChunkPtr::of(*block) };
        let mut others: Vec<_> = self.in_use.values().map(of).collect();
        // The blocks of one chunk are neighbours.
        others.dedup();
        assert!(self.peak <= (others.len() + unused) * self.in_a_chunk());
        self.peak = self.in_use.len();
    }

    fn in_a_chunk(&self) -> usize {
        32_640 / self.shelf.size
    }

    /// Asserts that no chunk is held but those in which a block is in use.
    fn close(&mut self) {
        self.shelf.close();
        assert!(!self.shelf.is_stirred() && self.shelf.count.get() == 0);
        assert!(self.shelf.room.get() == 0 && self.shelf.first.get().is_null());
        if self.in_use.is_empty() {
            assert!(self.shelf.partial.pop().is_none());
        }
    }
}

#[derive(Clone, Debug)]
enum Op {
    Take(u16),
    Give(u16, usize),
    EndPeriod,
    Slice,
    Trim,
    Reopen,
}

fn ops(longest: usize) -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => (1u16..400).prop_map(Op::Take),
        4 => (1u16..400, any::<usize>()).prop_map(|(count, place)| Op::Give(count, place)),
        1 => Just(Op::EndPeriod),
        1 => Just(Op::Slice),
        1 => Just(Op::Trim),
        1 => Just(Op::Reopen),
    ];
    prop::collection::vec(op, 0..longest)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 60 }))]
    #[test]
    fn blocks_never_overlap_and_nothing_is_held_when_all_were_given(
        ops in ops(if cfg!(miri) { 6 } else { 40 }),
        size in prop_oneof![Just(SMALL), Just(MEDIUM)],
    ) {
        let mut model = Model::new(size);
        for op in ops {
            match op {
                Op::Take(count) => (0..count).for_each(|_| model.take()),
                // Neighbours, or blocks all over the place.
                Op::Give(count, place) => {
                    let step = 1 + place % 3 * 50;
                    (0..count).for_each(|i| model.give((place % 7_000) + step * usize::from(i)));
                }
                Op::EndPeriod => model.end_period(),
                Op::Slice => model.shelf.give_back(model.shelf.leaving.get().min(2)),
                Op::Trim => {
                    model.shelf.trim();
                    model.peak = model.in_use.len();
                }
                Op::Reopen => {
                    model.close();
                    // A handle may outlive the run.
                    model.give(0);
                    prop_assert_eq!(model.shelf.count.get(), 0);
                    model.shelf.open();
                    model.peak = model.in_use.len();
                }
            }
            prop_assert!(model.shelf.leaving.get() <= model.shelf.count.get());
        }
        while !model.in_use.is_empty() {
            model.give(0);
        }
        model.close();
    }
}

#[test]
fn the_chunks_of_a_burst_stay_for_a_period_and_leave_by_halves() {
    let mut model = Model::new(SMALL);
    for _ in 0..2 {
        (0..40 * model.in_a_chunk()).for_each(|_| model.take());
        (0..40 * model.in_a_chunk()).for_each(|_| model.give(0));
    }
    let kept: Vec<_> = (0..7)
        .map(|_| {
            model.end_period();
            model.shelf.give_back(model.shelf.leaving.get());
            model.shelf.count.get()
        })
        .collect();
    assert_eq!(kept, [40, 20, 10, 5, 2, 2, 2]);
    assert!(!model.shelf.is_stirred());
    model.close();
}

#[test]
fn blocks_come_in_the_order_of_their_addresses_and_the_one_given_last_comes_first() {
    let mut model = Model::new(MEDIUM);
    (0..50).for_each(|_| model.take());
    let starts: Vec<_> = model.in_use.values().map(|&(_, number)| number).collect();
    assert!(starts.is_sorted());
    let (&start, _) = model.in_use.iter().nth(7).unwrap();
    model.give(7);
    model.take();
    assert!(model.in_use.contains_key(&start));
    (0..50).for_each(|_| model.give(0));
    model.close();
}
