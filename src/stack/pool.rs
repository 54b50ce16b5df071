//! Owns a thread's stacks: one shelf of unused stacks per class, backed by the process-wide
//! reserve.
//!
//! A pool with a clock follows the recent peak of stacks in use, so that bursts that repeat find
//! their stacks warm. Its owner calls [`Pool::tend`] when [`Pool::is_due`]: at the end of each
//! period, half of the stacks that were not needed in it go back to the reserve, and their pages to
//! the kernel. When nothing is left to give back, nothing is due any more.
//!
//! Invariants:
//! - The stack that was given back last is taken first, so its pages are the warmest in the caches.
//! - The stacks that are kept, and those that shelves take without a decision of the pool, are
//!   together within the limits of [`Keep`].
//! - If something is stirred, a look is due.
//! - If the kernel refuses a stack, the pool gives back all that it does not use and asks again.

use std::io;
use std::sync::{Mutex, MutexGuard};

use super::keep::{Keep, Periods, SLICE, Tended};
use super::reserve::{RESERVE, Reserve};
use super::shelf::Shelf;
use super::size::SizeClass;
use super::slab;
use super::slot::{Shape, Stack};
use crate::collections::locked::locked;

/// The stacks of one thread.
#[derive(Debug)]
pub(crate) struct Pool {
    shelves: [Shelf<Stack>; SizeClass::COUNT],
    /// Number of stacks that the last refill of each class asked for; zero before the first.
    refills: [usize; SizeClass::COUNT],
    reserve: &'static Mutex<Reserve>,
    keep: Keep,
    periods: Periods,
    /// Number of stacks that came from the reserve and have not gone back.
    held: usize,
    /// The highest value that `held` has had.
    most_held: usize,
}

/// A snapshot of a pool's counts.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct PoolStats {
    /// Stacks that were taken from this pool and not given back.
    pub(crate) live: usize,
    /// Stacks that wait in this pool for their next use.
    pub(crate) idle: usize,
    /// The bytes of those, each at its full size. Only pages that were touched take memory.
    pub(crate) idle_bytes: usize,
    /// The most stacks, live and idle, that this pool has held at the same time.
    pub(crate) high_water: usize,
    /// Stacks that wait in the reserve, which all pools of the process share.
    pub(crate) reserve: usize,
    /// Bytes of address space that the stacks of the whole process take. Only pages that were
    /// touched take memory.
    pub(crate) mapped_bytes: usize,
}

/// The most stacks that a shelf takes before it asks the pool again.
const MOST_ROOM: usize = 1024;

/// The most periods that are counted if many have ended since the last look. No number of stacks
/// can be halved more often.
const MOST_PERIODS: u64 = 64;

impl Pool {
    /// Creates an empty pool. It requests nothing from the system before its first stack is taken.
    pub(crate) const fn new(keep: Keep) -> Pool {
        Pool::over(&RESERVE, keep)
    }

    /// Sets how many unused stacks it keeps.
    pub(crate) fn set_keep(&mut self, keep: Keep) {
        self.keep = keep;
    }

    const fn over(reserve: &'static Mutex<Reserve>, keep: Keep) -> Pool {
        Pool {
            shelves: [const { Shelf::new(0) }; SizeClass::COUNT],
            refills: [0; SizeClass::COUNT],
            reserve,
            keep,
            periods: Periods::none(),
            held: 0,
            most_held: 0,
        }
    }

    /// Takes a stack: the one that was given back last, if any is unused.
    #[inline]
    pub(crate) fn take(&mut self, class: SizeClass) -> io::Result<Stack> {
        match self.shelves[class.index()].take() {
            Some(stack) => Ok(stack),
            None => self.take_cold(class),
        }
    }

    /// Ensures that the next [`take`](Pool::take) of this class succeeds.
    pub(crate) fn prepare(&mut self, class: SizeClass) -> io::Result<()> {
        let stack = self.take(class)?;
        self.shelves[class.index()].fetch().push(stack);
        Ok(())
    }

    /// Takes a stack back. Nothing may run on it or read its contents any more.
    #[inline]
    pub(crate) fn give(&mut self, stack: Stack) {
        if cfg!(sanitized) {
            return self.give_to_quarantine(stack);
        }
        self.shelve(stack);
    }

    #[inline(always)]
    fn shelve(&mut self, stack: Stack) {
        if let Err(stack) = self.shelves[stack.class().index()].give(stack) {
            self.give_if_there_is_room(stack);
        }
    }

    /// Returns whether [`tend`](Pool::tend) has something to do by `now`.
    #[inline(always)]
    pub(crate) fn is_due(&self, now: u64) -> bool {
        self.periods.is_due(now)
    }

    /// Returns when to call [`tend`](Pool::tend) next, if stacks may have to be given back.
    pub(crate) fn due(&self) -> Option<u64> {
        self.periods.due()
    }

    /// Makes periods begin, because other memory of the thread is unused.
    pub(crate) fn stir(&mut self) {
        self.periods.stir();
    }

    /// Returns whether stacks are left to give back that were not needed in the last period.
    pub(crate) fn is_giving_back(&self) -> bool {
        self.shelves.iter().any(|shelf| shelf.leaving() != 0)
    }

    /// Ends the periods that are over by `now`, which is in microseconds, and gives a slice of what
    /// was not needed in them back. Does the same for `other` memory of the thread. Returns whether
    /// there is more to give back.
    #[cold]
    #[inline(never)]
    pub(crate) fn tend(&mut self, now: u64, other: &dyn Tended) -> bool {
        for _ in 0..self.periods.ended_by(now).min(MOST_PERIODS) {
            self.end_period();
            other.end_period();
        }
        let slices_left = self.give_slice_back() | other.give_slice_back();
        let mut is_stirred = other.is_stirred();
        for class in SizeClass::all() {
            let shelf = &mut self.shelves[class.index()];
            is_stirred |= shelf.is_stirred() && !shelf.calm(self.keep.floor(class));
        }
        self.periods.look_again(now, slices_left, is_stirred);
        slices_left
    }

    /// Gives all unused stacks back to the reserve, and their pages to the kernel. Returns how many
    /// there were.
    #[cold]
    pub(crate) fn trim(&mut self) -> usize {
        let mut given = 0;
        for class in SizeClass::all() {
            given += self.keep_warmest(class, 0);
            self.shelves[class.index()].calm(self.keep.floor(class));
        }
        self.periods = Periods::none();
        given
    }

    /// Does the same, and unmaps all memory of the reserve in which no stack is in use, so that its
    /// page tables go back to the kernel, too.
    #[cold]
    pub(crate) fn trim_and_unmap(&mut self) -> usize {
        let given = self.trim();
        self.lock().unmap_unused();
        given
    }

    /// Returns the pool's counts; exact if its stacks are given back to it and not to another pool.
    pub(crate) fn stats(&self) -> PoolStats {
        let (idle, idle_bytes) = self.idle();
        let reserve = self.lock();
        PoolStats {
            live: self.held.saturating_sub(idle),
            idle,
            idle_bytes,
            high_water: self.most_held,
            reserve: reserve.idle(),
            mapped_bytes: reserve.mapped_bytes(),
        }
    }

    /// Returns how many stacks are unused, and how many bytes they have.
    fn idle(&self) -> (usize, usize) {
        let counts = SizeClass::all().map(|class| {
            let count = self.shelves[class.index()].len();
            (count, count * class.bytes())
        });
        counts.into_iter().fold((0, 0), |sum, each| (sum.0 + each.0, sum.1 + each.1))
    }

    #[cold]
    #[inline(never)]
    fn take_cold(&mut self, class: SizeClass) -> io::Result<Stack> {
        if let Some(stack) = self.shelves[class.index()].take_rested() {
            return Ok(stack);
        }
        self.take_from_reserve(class).or_else(|error| {
            // Other classes may have unused slabs.
            if self.trim() == 0 { Err(error) } else { self.take_from_reserve(class) }
        })
    }

    fn take_from_reserve(&mut self, class: SizeClass) -> io::Result<Stack> {
        let refill = next_refill(self.refills[class.index()], Shape::of(class).stride());
        self.refills[class.index()] = refill;
        // One is taken immediately. The others count as unused.
        let count = refill.min(self.room(class).saturating_add(1));
        let list = self.shelves[class.index()].fetch();
        lock(self.reserve).take(class, count, list)?;
        self.held += list.len();
        self.most_held = self.most_held.max(self.held);
        Ok(list.pop().expect("the reserve gives at least one stack or an error"))
    }

    /// Gives a stack back through the quarantine, so that it is not used again soon, by this pool
    /// or another.
    #[cold]
    #[inline(never)]
    fn give_to_quarantine(&mut self, stack: Stack) {
        self.held = self.held.saturating_sub(1);
        let mut oldest = Vec::new();
        lock(self.reserve).quarantine(stack, &mut oldest);
        self.held += oldest.len();
        oldest.into_iter().for_each(|stack| self.shelve(stack));
    }

    /// Keeps a stack that its shelf does not take without a decision, if the limits allow it.
    #[cold]
    #[inline(never)]
    fn give_if_there_is_room(&mut self, stack: Stack) {
        let class = stack.class();
        let (room, floor) = (self.room(class), self.keep.floor(class));
        let shelf = &mut self.shelves[class.index()];
        shelf.give_and_grow(stack, room.min(MOST_ROOM), floor);
        if room == 0 {
            self.halve(class);
        }
        if self.shelves[class.index()].is_stirred() {
            self.periods.stir();
        }
    }

    /// Returns how many more stacks of `class` may be kept. The room that other shelves have been
    /// granted and do not use is taken back, if there are limits for all classes together.
    fn room(&mut self, class: SizeClass) -> usize {
        if self.keep.is_limited() {
            self.shelves.iter_mut().for_each(Shelf::revoke_room);
        }
        let (all, bytes) = self.idle();
        self.keep.room(class, self.shelves[class.index()].len(), all, bytes)
    }

    /// Gives the coldest half of the stacks back, because a limit is reached: of all classes, or of
    /// `class` if it alone has reached its limit.
    fn halve(&mut self, class: SizeClass) {
        let all = if self.keep.is_limited() { SizeClass::all().to_vec() } else { vec![class] };
        for class in all {
            let count = self.shelves[class.index()].len();
            self.keep_warmest(class, count / 2);
        }
    }

    /// Gives all but the `keep` warmest unused stacks of a class back to the reserve, and their
    /// pages to the kernel. Returns how many there were.
    fn keep_warmest(&mut self, class: SizeClass, keep: usize) -> usize {
        let cold = self.shelves[class.index()].remove_coldest(keep);
        self.give_back(class, cold)
    }

    fn end_period(&mut self) {
        for class in SizeClass::all() {
            let shelf = &mut self.shelves[class.index()];
            if shelf.is_stirred() {
                shelf.end_period(self.keep.floor(class));
            }
        }
    }

    /// Gives up to [`SLICE`] of the stacks that leave back. Returns whether more are left.
    fn give_slice_back(&mut self) -> bool {
        let mut most = SLICE;
        for class in SizeClass::all() {
            if most != 0 && self.shelves[class.index()].leaving() != 0 {
                let cold = self.shelves[class.index()].remove_leaving(most);
                most -= self.give_back(class, cold);
            }
        }
        self.is_giving_back()
    }

    fn give_back(&mut self, class: SizeClass, mut cold: Vec<Stack>) -> usize {
        let count = cold.len();
        if count != 0 {
            cold.sort_unstable_by_key(Stack::limit);
            slab::discard(&cold);
            lock(self.reserve).give(class, cold.into_iter());
            // Stacks of other pools may be among them.
            self.held = self.held.saturating_sub(count);
        }
        count
    }

    fn lock(&self) -> MutexGuard<'static, Reserve> {
        lock(self.reserve)
    }
}

impl Drop for Pool {
    /// Gives all unused stacks back to the reserve.
    fn drop(&mut self) {
        self.trim();
    }
}

/// Returns how many stacks to ask for after a refill of `last`: few at first, because a program may
/// need just one, then twice as many each time, up to 64 MiB of addresses or 256 stacks. One call
/// that guards many stacks costs a quarter less than one call for each.
fn next_refill(last: usize, stride: usize) -> usize {
    let first = ((2 << 20) / stride).clamp(1, 16);
    let most = ((64 << 20) / stride).clamp(1, 256);
    (last * 2).clamp(first, most)
}

/// Locks the reserve, even if a thread panicked while it held the lock. Such a panic cannot leave
/// the reserve in an unsound state: at worst the reserve has lost track of stacks, which leaks
/// them.
fn lock(reserve: &'static Mutex<Reserve>) -> MutexGuard<'static, Reserve> {
    locked(reserve)
}

#[cfg(test)]
mod tests;
