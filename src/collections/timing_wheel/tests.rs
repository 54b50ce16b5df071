//! Tests of the timing wheel against a sorted list, and at the borders of its levels.

use super::*;
use proptest::prelude::*;

impl<T: Copy> TimingWheel<T> {
    /// Checks every invariant listed at the top of the file, and the bitmaps.
    #[track_caller]
    fn assert_valid(&self) {
        let mut seen = vec![false; self.entries.len()];
        let mut linked = 0;
        for level in 0..LEVELS as u32 {
            let occupied = self.occupied[level as usize];
            assert_eq!(self.levels >> level & 1 == 1, occupied != 0, "summary of level {level}");
            for slot in 0..SLOTS_PER_LEVEL as u32 {
                let bit = occupied >> slot & 1 == 1;
                let n = self.assert_list_valid(Position::new(level, slot), &mut seen);
                assert_eq!(bit, n != 0, "bit of level {level} slot {slot} with {n} entries");
                linked += n;
            }
        }
        assert_eq!(linked, self.len, "len counts the linked entries");

        let mut index = self.free;
        while index != NO_ENTRY {
            let entry = &self.entries[index as usize];
            assert!(!std::mem::replace(&mut seen[index as usize], true), "{index} freed twice");
            assert_eq!(entry.prev, FREE, "{index} is on the free list unmarked");
            index = entry.next;
        }
        assert!(seen.iter().all(|&seen| seen), "an entry is neither linked nor free");
    }

    /// Checks the list of one slot and returns its length.
    #[track_caller]
    fn assert_list_valid(&self, position: Position, seen: &mut [bool]) -> usize {
        let slot = self.slots[usize::from(position.0)];
        let (mut index, mut prev, mut n) = (slot.first, NO_ENTRY, 0);
        while index != NO_ENTRY {
            let entry = &self.entries[index as usize];
            assert!(!std::mem::replace(&mut seen[index as usize], true), "{index} linked twice");
            assert_eq!(entry.prev, prev, "{index} does not point back");
            assert!(self.now <= entry.tick, "{index} is before now");
            assert_eq!(self.position(entry.tick), position, "{index} stands in the wrong slot");
            assert_eq!(entry.position, position, "{index} does not know where it stands");
            (prev, index, n) = (index, entry.next, n + 1);
        }
        assert_eq!(slot.last, prev, "the last entry of {position:?}");
        n
    }
}

fn fired<T: Copy>(wheel: &mut TimingWheel<T>, now: u64) -> Vec<T> {
    let mut items = Vec::new();
    wheel.advance(now, |item| items.push(item));
    wheel.assert_valid();
    items
}

/// Returns ticks at which a digit is full, overflows, or starts.
fn borders() -> Vec<u64> {
    let mut ticks = vec![0, 1, 2, u64::MAX - 1, u64::MAX];
    for level in 1..LEVELS as u32 {
        let first = 1_u64 << (level * BITS_PER_LEVEL);
        ticks.extend([first - 1, first, first + 1]);
    }
    ticks.sort_unstable();
    ticks
}

#[test]
fn each_border_fires_neither_early_nor_late() {
    // Under Miri each pair takes a second.
    for start in borders().into_iter().step_by(if cfg!(miri) { 11 } else { 1 }) {
        for at in borders().into_iter().filter(|&at| start < at) {
            if cfg!(miri) && at % 5 != 0 {
                continue;
            }
            let mut wheel = TimingWheel::new(start);
            wheel.insert(at, at);
            wheel.assert_valid();
            assert_eq!(wheel.next_deadline(), Some(at));
            assert!(fired(&mut wheel, at - 1).is_empty(), "from {start} to {at}, a tick early");
            assert_eq!(wheel.next_deadline(), Some(at));
            assert_eq!(fired(&mut wheel, at), [at], "from {start} to {at}");
            assert_eq!((wheel.next_deadline(), wheel.now()), (None, at));
        }
    }
}

#[test]
fn one_jump_over_all_borders_fires_them_in_order() {
    let mut wheel = TimingWheel::new(0);
    for at in borders().into_iter().rev() {
        wheel.insert(at, at);
    }
    assert_eq!(fired(&mut wheel, u64::MAX), borders());
    assert!(wheel.is_empty());
    wheel.insert(7, 7);
    assert_eq!(wheel.next_deadline(), Some(u64::MAX), "time has come to its end");
    assert_eq!(fired(&mut wheel, u64::MAX), [7]);
}

#[test]
fn the_levels_change_where_the_digits_do() {
    let wheel = TimingWheel::<()>::new(0);
    let level = |tick| wheel.position(tick).level();
    assert_eq!([0, 63, 64, 4095, 4096].map(level), [0, 0, 1, 1, 2]);
    assert_eq!([(1 << 36) - 1, 1 << 36, (1 << 60) - 1, 1 << 60].map(level), [5, 6, 9, 10]);
    assert_eq!(wheel.position(u64::MAX), Position::new(10, 15));
}

#[test]
fn equal_ticks_fire_in_the_order_of_insertion_across_cascades() {
    let mut wheel = TimingWheel::new(0);
    let at = (1 << 36) + 4096 + 64 + 1;
    for (n, now) in [0, 1 << 20, 1 << 36, (1 << 36) + 4096, at - 1].into_iter().enumerate() {
        assert!(fired(&mut wheel, now).is_empty());
        wheel.insert(at, n);
        wheel.assert_valid();
    }
    assert_eq!(fired(&mut wheel, at), [0, 1, 2, 3, 4]);
}

#[test]
fn the_past_counts_as_now_and_waits_for_the_next_advance() {
    let mut wheel = TimingWheel::new(100);
    wheel.insert(101, 'd');
    wheel.insert(100, 'a');
    wheel.insert(7, 'b');
    wheel.insert(3, 'c');
    assert_eq!(wheel.next_deadline(), Some(100));
    assert_eq!(fired(&mut wheel, 0), ['a', 'b', 'c'], "a clock that steps back");
    assert_eq!((wheel.now(), wheel.len()), (100, 1));
    assert_eq!(fired(&mut wheel, 101), ['d']);
}

#[test]
fn a_panic_in_fire_spends_one_timer() {
    let mut wheel = TimingWheel::new(0);
    for (at, item) in [(5, 'a'), (5, 'b'), (900, 'c')] {
        wheel.insert(at, item);
    }
    let advance = || wheel.advance(1000, |_| std::panic::resume_unwind(Box::new(())));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(advance)).is_err());
    wheel.assert_valid();
    assert_eq!(wheel.next_deadline(), Some(5));
    assert_eq!(fired(&mut wheel, 1000), ['b', 'c']);
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "is stale")]
fn cancelling_twice_panics() {
    let mut wheel = TimingWheel::new(0);
    let key = wheel.insert(1, ());
    wheel.cancel(key);
    wheel.cancel(key);
}

#[test]
#[should_panic]
fn the_none_key_cannot_be_cancelled() {
    let mut wheel = TimingWheel::new(0);
    wheel.insert(1, ());
    wheel.cancel(TimerKey::NONE);
}

/// The pending timers, in no order: (tick, serial number, key).
#[derive(Default)]
struct Model {
    now: u64,
    pending: Vec<(u64, usize, TimerKey)>,
}

impl Model {
    fn advance(&mut self, now: u64) -> Vec<usize> {
        self.now = self.now.max(now);
        let due = |&(tick, ..): &(u64, usize, TimerKey)| tick <= self.now;
        let mut due: Vec<_> = self.pending.extract_if(.., |timer| due(timer)).collect();
        due.sort_by_key(|&(tick, serial, _)| (tick, serial));
        due.into_iter().map(|(_, serial, _)| serial).collect()
    }

    fn next_deadline(&self) -> Option<u64> {
        self.pending.iter().map(|&(tick, ..)| tick).min()
    }
}

#[derive(Clone, Debug)]
enum Op {
    InsertAfter(u64),
    InsertAt(u64),
    /// Cancels one of the pending timers, chosen by the remainder.
    Cancel(usize),
    AdvanceBy(u64),
    AdvanceToNext,
    AdvanceToCascade,
}

/// Distances that are small, equal, around a power of two, and arbitrary.
fn distance() -> impl Strategy<Value = u64> {
    let around_a_power = (0..64_u32, 0..3_u64).prop_map(|(n, d)| (1_u64 << n) - 1 + d);
    prop_oneof![4 => 0..4_u64, 4 => 0..200_u64, 4 => 0..10_000_u64, 3 => around_a_power,
        1 => any::<u64>()]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        10 => distance().prop_map(Op::InsertAfter),
        2 => distance().prop_map(Op::InsertAt),
        4 => any::<usize>().prop_map(Op::Cancel),
        4 => distance().prop_map(Op::AdvanceBy),
        2 => Just(Op::AdvanceToNext),
        2 => Just(Op::AdvanceToCascade),
    ]
}

/// Applies `op` to both and compares what fires.
fn step(op: Op, serial: usize, wheel: &mut TimingWheel<usize>, model: &mut Model) {
    let now = wheel.now();
    let target = match op {
        Op::InsertAfter(distance) => {
            return insert(now.saturating_add(distance), serial, wheel, model);
        }
        Op::InsertAt(at) => return insert(at, serial, wheel, model),
        Op::Cancel(_) if model.pending.is_empty() => return,
        Op::Cancel(n) => {
            let (_, serial, key) = model.pending.remove(n % model.pending.len());
            assert_eq!(wheel.cancel(key), serial);
            return;
        }
        Op::AdvanceBy(d) => now.saturating_add(d),
        Op::AdvanceToNext => wheel.next_deadline().unwrap_or(now),
        Op::AdvanceToCascade => wheel.next_cascade().unwrap_or(now),
    };
    assert_eq!(fired(wheel, target), model.advance(target));
}

fn insert(at: u64, serial: usize, wheel: &mut TimingWheel<usize>, model: &mut Model) {
    let key = wheel.insert(at, serial);
    assert!(model.pending.iter().all(|&(.., live)| live != key), "{key:?} is in use");
    model.pending.push((at.max(model.now), serial, key));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    #[cfg_attr(miri, ignore = "one case takes minutes to generate")]
    fn behaves_like_a_sorted_list(
        start in distance(),
        ops in prop::collection::vec(op(), 0..120),
    ) {
        let mut wheel = TimingWheel::new(start);
        let mut model = Model { now: start, ..Model::default() };
        for (serial, op) in ops.into_iter().enumerate() {
            step(op, serial, &mut wheel, &mut model);
            wheel.assert_valid();
            prop_assert_eq!(wheel.now(), model.now);
            prop_assert_eq!(wheel.len(), model.pending.len());
            prop_assert_eq!(wheel.is_empty(), model.pending.is_empty());
            prop_assert_eq!(wheel.next_deadline(), model.next_deadline());
            prop_assert!(wheel.next_cascade() <= wheel.next_deadline());
            prop_assert_eq!(wheel.next_cascade().is_some(), wheel.next_deadline().is_some());
        }
        prop_assert_eq!(fired(&mut wheel, u64::MAX), model.advance(u64::MAX));
    }
}
