//! Owns the order in which deadlines fall due: by tick, and by insertion within a tick.
//!
//! Invariants:
//! - The position of an entry is a function of its tick and of `now` alone (see [`TimingWheel`]),
//!   after every call. Entries of one tick therefore always share a list, in the order of their
//!   insertion; this keeps them first-in-first-out across cascades.
//! - No entry's tick is before `now`: a deadline in the past is filed under `now`.
//! - An entry is either in exactly one slot's list or on the free list.

#![forbid(unsafe_code)]

const BITS_PER_LEVEL: u32 = 6;
const SLOTS_PER_LEVEL: usize = 1 << BITS_PER_LEVEL;
/// Number of levels, enough for every `u64`, so that nothing overflows; the topmost level uses 16
/// of its slots.
const LEVELS: usize = u64::BITS.div_ceil(BITS_PER_LEVEL) as usize;

/// Ends a list. No entry has this index.
const NO_ENTRY: u32 = u32::MAX;
/// The value of `prev` in an entry on the free list. No entry has this index either.
const FREE: u32 = u32::MAX - 1;

/// The name of a pending timer of a [`TimingWheel`]. It becomes stale when the timer fires or is
/// cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimerKey(u32);

impl TimerKey {
    /// The key of no timer; no wheel hands it out.
    pub(crate) const NONE: TimerKey = TimerKey(NO_ENTRY);
}

/// A hierarchical timing wheel over ticks of any unit; its owner advances it to the current time.
///
/// A tick is a number of eleven 6-bit digits. An entry stands on the level of the highest digit in
/// which its tick differs from `now`, in the slot that this digit of the tick names:
///
/// ```text
///              digit 10 ... 2   1   0        now = [ 0 ..  0   5  17 ]
///  level 2  │ 4096 ticks/slot   │ 1 ▸ [0.. 1 2 33], [0.. 1 0 4]
///  level 1  │   64 ticks/slot   │ 9 ▸ [0.. 0 9 60], [0.. 0 9 2], [0.. 0 9 60]
///  level 0  │    1 tick /slot   │ 17 ▸ overdue      18 ▸ [0.. 0 5 18], [0.. 0 5 18]
/// ```
///
/// All entries on a level are due before any entry on a higher level, and on one level the slots
/// are due in the order of their numbers, all of them after the digit of `now`. The lowest bit of
/// the lowest non-empty level therefore names the earliest slot. When `now` reaches the first tick
/// of a slot on a higher level, the slot's entries agree with `now` in one more digit and move down
/// (*cascade*), in order.
///
/// | operation       | cost                                                                  |
/// |-----------------|-----------------------------------------------------------------------|
/// | `insert`        | O(1), except for growth of the entry array, which never shrinks       |
/// | `cancel`        | O(1)                                                                  |
/// | `next_deadline` | O(1) on level 0, otherwise the length of one slot's list              |
/// | `next_cascade`  | O(1)                                                                  |
/// | `advance`       | O(1) per entry fired, plus at most 10 moves in an entry's whole life;  |
/// |                 | the distance by which time advances does not matter                    |
#[derive(Debug)]
pub(crate) struct TimingWheel<T> {
    /// The tick up to which everything has fired. Never decreases.
    now: u64,
    /// Bit `l` is set if `occupied[l]` is not zero.
    levels: u32,
    /// Bit `s` of `occupied[l]` is set if slot `s` of level `l` is not empty.
    occupied: [u64; LEVELS],
    /// The lists, indexed by [`Position`].
    slots: [Slot; SLOTS_PER_LEVEL * LEVELS],
    entries: Vec<Entry<T>>,
    /// The entry freed last, or `NO_ENTRY`.
    free: u32,
    /// Number of pending timers.
    len: usize,
}

/// The ends of one doubly linked list; both or neither are `NO_ENTRY`.
#[derive(Clone, Copy, Debug)]
struct Slot {
    first: u32,
    last: u32,
}

impl Slot {
    const EMPTY: Slot = Slot { first: NO_ENTRY, last: NO_ENTRY };
}

#[derive(Clone, Copy, Debug)]
struct Entry<T> {
    tick: u64,
    /// The entry's position. It follows from `tick` and `now`, but storing it saves `cancel` the
    /// computation: an `insert` and a `cancel` together take 11 ns instead of 14.
    position: Position,
    /// The neighbour towards the slot's first entry, or `FREE`.
    prev: u32,
    /// The neighbour towards the slot's last entry, or the next entry of the free list.
    next: u32,
    item: T,
}

/// A place in the wheel as an index into its `slots`: the level times 64, plus the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position(u16);

impl Position {
    #[inline]
    fn new(level: u32, slot: u32) -> Position {
        Position((level * SLOTS_PER_LEVEL as u32 + slot) as u16)
    }

    #[inline]
    fn level(self) -> usize {
        usize::from(self.0) / SLOTS_PER_LEVEL
    }

    #[inline]
    fn slot(self) -> usize {
        usize::from(self.0) % SLOTS_PER_LEVEL
    }
}

impl<T: Copy> TimingWheel<T> {
    /// Creates an empty wheel at tick `now`, which allocates nothing. It is about 6 KB large.
    pub(crate) const fn new(now: u64) -> TimingWheel<T> {
        TimingWheel {
            now,
            levels: 0,
            occupied: [0; LEVELS],
            slots: [Slot::EMPTY; SLOTS_PER_LEVEL * LEVELS],
            entries: Vec::new(),
            free: NO_ENTRY,
            len: 0,
        }
    }

    /// Returns the tick of the last [`advance`](Self::advance).
    #[inline]
    #[cfg(test)]
    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    /// Returns how many timers are pending.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns whether no timer is pending.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Files `item` to fire at tick `at`. If `at` is not after `now`, it counts as `now`, and the
    /// item fires at the next [`advance`](Self::advance).
    ///
    /// # Panics
    ///
    /// Panics if 2³² - 2 timers are pending.
    #[inline]
    pub(crate) fn insert(&mut self, at: u64, item: T) -> TimerKey {
        let tick = at.max(self.now);
        let position = self.position(tick);
        let entry = Entry { tick, position, prev: NO_ENTRY, next: NO_ENTRY, item };
        let index = self.free;
        if index == NO_ENTRY {
            return self.insert_in_new_entry(entry);
        }
        self.free = self.entries[index as usize].next;
        self.entries[index as usize] = entry;
        self.append(index, position);
        self.len += 1;
        TimerKey(index)
    }

    /// Removes a pending timer and returns its item.
    ///
    /// The owner guarantees that `key` is pending, by forgetting it when the timer fires or is
    /// cancelled: keys have no generation, so a stale one may cancel an unrelated timer. With debug
    /// assertions, a stale key whose place has not been reused panics; without them it corrupts the
    /// wheel's lists, but never memory.
    #[inline]
    pub(crate) fn cancel(&mut self, key: TimerKey) -> T {
        let Entry { position, prev, next, item, .. } = self.entries[key.0 as usize];
        debug_assert!(prev != FREE, "{key:?} is stale: that timer has fired or was cancelled");
        if prev == NO_ENTRY {
            self.slots[usize::from(position.0)].first = next;
        } else {
            self.entries[prev as usize].next = next;
        }
        if next == NO_ENTRY {
            self.slots[usize::from(position.0)].last = prev;
        } else {
            self.entries[next as usize].prev = prev;
        }
        if prev == NO_ENTRY && next == NO_ENTRY {
            self.mark_empty(position);
        }
        self.release(key.0);
        item
    }

    /// Returns the tick of a pending timer.
    pub(crate) fn tick_of(&self, key: TimerKey) -> u64 {
        self.entries[key.0 as usize].tick
    }

    /// Returns the exact tick of the earliest timer.
    ///
    /// Walks a slot's list unless the earliest timer is on level 0. A caller that asks repeatedly
    /// without advancing to the answer, and tolerates being woken early, should ask
    /// [`next_cascade`](Self::next_cascade).
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        let position = self.first_position()?;
        if position.level() == 0 {
            return Some(self.first_tick(position));
        }
        let mut index = self.slots[usize::from(position.0)].first;
        let mut earliest = u64::MAX;
        while index != NO_ENTRY {
            let entry = &self.entries[index as usize];
            earliest = earliest.min(entry.tick);
            index = entry.next;
        }
        Some(earliest)
    }

    /// Returns the next tick at which [`advance`](Self::advance) has anything to do: not after the
    /// earliest deadline, and before it at most ten times per timer, when entries cascade.
    pub(crate) fn next_cascade(&self) -> Option<u64> {
        self.first_position().map(|position| self.first_tick(position))
    }

    /// Advances to tick `now`, and fires all timers that are due by then in the order of (tick,
    /// insertion).
    ///
    /// A `now` that is before the wheel's counts as the wheel's. If `fire` panics, its timer is
    /// spent and the rest stays pending.
    pub(crate) fn advance(&mut self, now: u64, mut fire: impl FnMut(T)) {
        let now = now.max(self.now);
        while let Some(position) = self.first_position() {
            let tick = self.first_tick(position);
            if now < tick {
                break;
            }
            // No entry stands before `tick`, so this step enters no other slot.
            self.now = tick;
            if 0 < position.level() {
                self.cascade(position);
                continue;
            }
            while self.slots[usize::from(position.0)].first != NO_ENTRY {
                fire(self.cancel(TimerKey(self.slots[usize::from(position.0)].first)));
            }
        }
        self.now = now;
    }

    #[cold]
    #[inline(never)]
    fn insert_in_new_entry(&mut self, entry: Entry<T>) -> TimerKey {
        let index = u32::try_from(self.entries.len()).unwrap_or(NO_ENTRY);
        assert!(index < FREE, "fibra: too many timers: all 2^32 - 2 places are taken");
        self.entries.push(entry);
        self.append(index, entry.position);
        self.len += 1;
        TimerKey(index)
    }

    /// Returns where an entry of `tick` stands at the current `now`.
    #[inline]
    fn position(&self, tick: u64) -> Position {
        // Setting the lowest digit puts equal ticks on level 0 with those that differ there.
        let differs = (tick ^ self.now) | (SLOTS_PER_LEVEL as u64 - 1);
        let level = differs.ilog2() / BITS_PER_LEVEL;
        let slot = (tick >> (level * BITS_PER_LEVEL)) as u32 % SLOTS_PER_LEVEL as u32;
        Position::new(level, slot)
    }

    /// Returns the earliest slot that is not empty.
    #[inline]
    fn first_position(&self) -> Option<Position> {
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros();
        Some(Position::new(level, self.occupied[level as usize].trailing_zeros()))
    }

    /// Returns the first tick of an occupied slot: the digits of `now` above its level, its number,
    /// zeros.
    #[inline]
    fn first_tick(&self, position: Position) -> u64 {
        let shift = position.level() as u32 * BITS_PER_LEVEL;
        let above = u64::MAX.checked_shl(shift + BITS_PER_LEVEL).unwrap_or(0);
        self.now & above | (position.slot() as u64) << shift
    }

    /// Links an entry, whose own links are `NO_ENTRY`, to the end of the list at its position.
    #[inline]
    fn append(&mut self, index: u32, position: Position) {
        self.levels |= 1 << position.level();
        self.occupied[position.level()] |= 1 << position.slot();
        let slot = &mut self.slots[usize::from(position.0)];
        let last = std::mem::replace(&mut slot.last, index);
        if last == NO_ENTRY {
            slot.first = index;
            return;
        }
        self.entries[last as usize].next = index;
        self.entries[index as usize].prev = last;
    }

    /// Moves the entries of a slot that `now` has just entered to the lower levels.
    fn cascade(&mut self, position: Position) {
        let slot = &mut self.slots[usize::from(position.0)];
        let mut index = slot.first;
        *slot = Slot::EMPTY;
        self.mark_empty(position);
        while index != NO_ENTRY {
            let position = self.position(self.entries[index as usize].tick);
            let entry = &mut self.entries[index as usize];
            let next = std::mem::replace(&mut entry.next, NO_ENTRY);
            entry.prev = NO_ENTRY;
            entry.position = position;
            self.append(index, position);
            index = next;
        }
    }

    #[inline]
    fn mark_empty(&mut self, position: Position) {
        let occupied = &mut self.occupied[position.level()];
        *occupied &= !(1 << position.slot());
        if *occupied == 0 {
            self.levels &= !(1 << position.level());
        }
    }

    /// Puts an unlinked entry on the free list.
    #[inline]
    fn release(&mut self, index: u32) {
        let entry = &mut self.entries[index as usize];
        entry.prev = FREE;
        entry.next = self.free;
        self.free = index;
        self.len -= 1;
    }
}

#[cfg(test)]
mod tests;
