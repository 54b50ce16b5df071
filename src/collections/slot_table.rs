//! Owns values behind keys, such that a stale key never reaches a new occupant.
//!
//! Invariants:
//! - A key is handed out once in the life of a table. A slot's generation rises with every removal;
//!   a slot whose generation would wrap is retired forever.
//! - A slot that holds a value is on no list; a vacant slot is on the free list exactly once; a
//!   retired slot is on no list and holds no value.
//! - No key has generation 0, so `Key::from_bits(0)` names nothing in any table.

#![forbid(unsafe_code)]

use crate::collections::layout;

/// Ends the free list. No slot has this index.
const NO_SLOT: u32 = u32::MAX;

const FIRST_GENERATION: u32 = 1;
const LAST_GENERATION: u32 = u32::MAX;

/// The name of one occupant of a [`SlotTable`]: its index, and a number that is unique among the
/// occupants of that index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl Key {
    /// Packs the key: the generation in the upper half, the index in the lower.
    #[inline]
    pub(crate) const fn to_bits(self) -> u64 {
        (self.generation as u64) << 32 | self.index as u64
    }

    /// Unpacks a key. Bits that never were a key produce one that names nothing.
    #[inline]
    pub(crate) const fn from_bits(bits: u64) -> Key {
        Key { index: bits as u32, generation: (bits >> 32) as u32 }
    }
}

/// A growing array of slots whose vacant ones form a stack.
///
/// ```text
///             free ─────────────┐
///                               ▼
///  index       0         1         2         3         4
///          ┌─────────┬─────────┬─────────┬─────────┬─────────┐
///  value   │ Some(a) │  None   │  None   │ Some(b) │  None   │
///  gener.  │    1    │    7    │    2    │    4    │ u32::MAX│  <- 4 is retired
///  next    │    -    │ NO_SLOT │    1    │    -    │    -    │
///          └─────────┴─────────┴─────────┴─────────┴─────────┘
///                         ▲         │
///                         └─────────┘
/// ```
///
/// `insert`, `remove`, `get` and `len` are O(1), except for an `insert` that grows the array;
/// `iter` is O(slots). The slot vacated last is reused first, because its memory is still in the
/// cache. The array never shrinks. A slot takes 16 bytes for a pointer-sized `T` with a niche
/// (`NonNull`, `Box`, `&_`): there is no separate tag, and link and generation are always present.
#[derive(Debug)]
pub(crate) struct SlotTable<T> {
    slots: Vec<Slot<T>>,
    /// The slot vacated last, or `NO_SLOT`.
    free: u32,
    /// Number of slots that hold a value.
    len: usize,
}

#[derive(Debug)]
struct Slot<T> {
    value: Option<T>,
    /// The generation of the current occupant, or of the next one while the slot is vacant.
    generation: u32,
    /// The vacant slot below this one on the free list. Meaningless while the slot holds a value.
    next_free: u32,
}

/// Where a table keeps its values, for debuggers.
#[derive(Debug)]
pub(crate) struct Places {
    /// The offset of the address of the first slot.
    pub(crate) slots: usize,
    /// The offset of the number of slots.
    pub(crate) count: usize,
    /// The bytes from one slot to the next.
    pub(crate) stride: usize,
    /// The offset of the value in its slot.
    pub(crate) value: usize,
}

impl<T> SlotTable<T> {
    /// Returns where a table keeps its values.
    pub(crate) fn places() -> Places {
        let table = std::mem::offset_of!(SlotTable<T>, slots);
        let vacant = || Slot::<T> { value: None, generation: FIRST_GENERATION, next_free: NO_SLOT };
        let [slots, count] = layout::of_vec(vacant).map(|part| part.saturating_add(table));
        let value = std::mem::offset_of!(Slot<T>, value);
        Places { slots, count, stride: std::mem::size_of::<Slot<T>>(), value }
    }
}

impl<T> Default for SlotTable<T> {
    fn default() -> SlotTable<T> {
        SlotTable::new()
    }
}

impl<T> SlotTable<T> {
    /// Creates an empty table, which allocates nothing.
    pub(crate) const fn new() -> SlotTable<T> {
        SlotTable { slots: Vec::new(), free: NO_SLOT, len: 0 }
    }

    /// Puts `value` into the slot vacated last, or into a new one if none is vacant.
    ///
    /// # Panics
    ///
    /// Panics if 2³² - 1 slots are occupied or retired.
    #[inline]
    pub(crate) fn insert(&mut self, value: T) -> Key {
        if self.free == NO_SLOT {
            return self.insert_in_new_slot(value);
        }
        let index = self.free;
        let slot = &mut self.slots[index as usize];
        self.free = slot.next_free;
        slot.value = Some(value);
        self.len += 1;
        Key { index, generation: slot.generation }
    }

    /// Removes and returns the value of `key`, which makes every copy of `key` stale.
    #[inline]
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let slot = self.slots.get_mut(key.index as usize)?;
        if slot.generation != key.generation {
            return None;
        }
        let value = slot.value.take()?;
        self.len -= 1;
        // A slot that has used up its generations stays vacant and off the list: retired.
        if slot.generation < LAST_GENERATION {
            slot.generation += 1;
            slot.next_free = self.free;
            self.free = key.index;
        }
        Some(value)
    }

    /// Returns the value of `key`, unless it was removed.
    #[inline]
    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        let slot = self.slots.get(key.index as usize)?;
        if slot.generation != key.generation {
            return None;
        }
        // A vacant slot already has the generation of its next occupant.
        slot.value.as_ref()
    }

    /// Like [`get`](Self::get), for a mutable reference.
    #[inline]
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let slot = self.slots.get_mut(key.index as usize)?;
        if slot.generation != key.generation {
            return None;
        }
        slot.value.as_mut()
    }

    /// Returns the key of the value at `index`, if there is one.
    #[inline]
    pub(crate) fn key_at(&self, index: u32) -> Option<Key> {
        let slot = self.slots.get(index as usize)?;
        slot.value.is_some().then_some(Key { index, generation: slot.generation })
    }

    /// Returns how many values are in the table.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns every key with its value, in slot order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.slots.iter().zip(0..).filter_map(|(slot, index)| {
            let value = slot.value.as_ref()?;
            Some((Key { index, generation: slot.generation }, value))
        })
    }

    #[cold]
    #[inline(never)]
    fn insert_in_new_slot(&mut self, value: T) -> Key {
        let index = u32::try_from(self.slots.len()).unwrap_or(NO_SLOT);
        assert!(index != NO_SLOT, "fibra: a slot table is full: all 2^32 - 1 indices are taken");
        let generation = FIRST_GENERATION;
        self.slots.push(Slot { value: Some(value), generation, next_free: NO_SLOT });
        self.len += 1;
        Key { index, generation }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    impl<T> SlotTable<T> {
        /// Checks every invariant listed at the top of the file.
        #[track_caller]
        fn assert_valid(&self) {
            let occupied = self.slots.iter().filter(|slot| slot.value.is_some()).count();
            assert_eq!(occupied, self.len, "len counts the occupied slots");

            let mut on_list = vec![false; self.slots.len()];
            let mut index = self.free;
            while index != NO_SLOT {
                let i = index as usize;
                assert!(self.slots[i].value.is_none(), "slot {i} is both occupied and free");
                assert!(!on_list[i], "slot {i} is on the free list twice");
                on_list[i] = true;
                index = self.slots[i].next_free;
            }
            for (i, slot) in self.slots.iter().enumerate() {
                assert!(FIRST_GENERATION <= slot.generation, "slot {i} has generation 0");
                let retired = slot.generation == LAST_GENERATION;
                assert!(slot.value.is_some() || on_list[i] || retired, "slot {i} is lost");
            }
        }
    }

    #[test]
    fn a_slot_of_a_pointer_takes_sixteen_bytes() {
        assert_eq!(size_of::<Slot<std::ptr::NonNull<u8>>>(), 16);
    }

    #[test]
    fn a_key_survives_packing() {
        let key = Key { index: 0x8000_0001, generation: 0xfffe_0002 };
        assert_eq!(key.to_bits(), 0xfffe_0002_8000_0001);
        assert_eq!(Key::from_bits(key.to_bits()), key);
    }

    #[test]
    fn a_stale_key_does_not_reach_the_next_occupant() {
        let mut table = SlotTable::new();
        let first = table.insert("first");
        assert_eq!(table.remove(first), Some("first"));
        assert_eq!(table.get(first), None);
        let second = table.insert("second");
        assert_eq!(second.index, first.index);
        assert_eq!(table.get(first), None);
        assert_eq!(table.remove(first), None);
        assert_eq!(table.get(second), Some(&"second"));
        table.assert_valid();
    }

    #[test]
    fn the_next_key_names_nothing_before_it_is_handed_out() {
        let mut table = SlotTable::new();
        let key = table.insert(());
        table.remove(key);
        let next = Key { generation: key.generation + 1, ..key };
        assert_eq!(table.get(next), None);
        assert_eq!(table.remove(next), None);
        assert_eq!(table.insert(()), next);
        table.assert_valid();
    }

    #[test]
    fn zero_bits_and_unknown_indices_name_nothing() {
        let mut table = SlotTable::new();
        assert_eq!(table.get(Key::from_bits(0)), None);
        table.insert(());
        assert_eq!(table.get(Key::from_bits(0)), None);
        assert_eq!(table.remove(Key::from_bits(u64::MAX)), None);
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn slots_are_reused_last_in_first_out() {
        let mut table = SlotTable::new();
        let keys = [0, 1, 2, 3].map(|n| table.insert(n));
        for i in [2, 0, 3] {
            table.remove(keys[i]);
        }
        assert_eq!([(); 4].map(|()| table.insert(9).index), [3, 0, 2, 4]);
        table.assert_valid();
    }

    #[test]
    fn a_slot_out_of_generations_is_retired() {
        let mut table = SlotTable::new();
        table.insert(0);
        table.slots[0].generation = LAST_GENERATION;
        let last = Key { index: 0, generation: LAST_GENERATION };
        assert_eq!(table.remove(last), Some(0));
        assert_eq!(table.get(last), None);
        assert_eq!(table.remove(last), None);
        table.assert_valid();
        assert_eq!(table.insert(1).index, 1, "the retired slot is not reused");
        assert_eq!(table.len(), 1);
        table.assert_valid();
    }

    #[derive(Clone, Debug)]
    enum Op {
        Insert(u8),
        /// Removes the n-th key ever handed out, live or stale.
        Remove(usize),
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![any::<u8>().prop_map(Op::Insert), (0..64_usize).prop_map(Op::Remove)]
    }

    proptest! {
        #[test]
        #[cfg_attr(miri, ignore = "one case takes minutes to generate")]
        fn behaves_like_a_map_of_unique_keys(ops in prop::collection::vec(op(), 0..200)) {
            let mut table = SlotTable::new();
            let mut model = HashMap::new();
            let mut handed_out = Vec::new();
            for op in ops {
                match op {
                    Op::Insert(value) => {
                        let key = table.insert(value);
                        prop_assert!(!handed_out.contains(&key), "{key:?} was handed out twice");
                        handed_out.push(key);
                        model.insert(key, value);
                    }
                    Op::Remove(n) if n < handed_out.len() => {
                        prop_assert_eq!(table.remove(handed_out[n]), model.remove(&handed_out[n]));
                    }
                    Op::Remove(_) => {}
                }
                table.assert_valid();
                prop_assert_eq!(table.len(), model.len());
                for key in &handed_out {
                    prop_assert_eq!(table.get(*key), model.get(key));
                }
                let mut listed: Vec<_> = model.iter().map(|(key, value)| (*key, value)).collect();
                listed.sort_by_key(|(key, _)| key.index);
                prop_assert_eq!(table.iter().collect::<Vec<_>>(), listed);
            }
        }
    }
}
