//! Owns a thread's stacks: a shelf of idle ones for each class, over the process-wide reserve.
//!
//! Invariants:
//! - The last stack of a shelf was used last, so its pages are the warmest in the caches.
//! - A shelf holds at most its watermark; beyond, its coldest half goes back to the reserve.

use std::io;
use std::sync::{Mutex, MutexGuard};

use super::reserve::{RESERVE, Reserve};
use super::size::SizeClass;
use super::slab;
use super::slot::{Shape, Stack};
use crate::collections::locked::locked;

/// A thread's stacks.
#[derive(Debug)]
pub(crate) struct Pool {
    shelves: [Shelf; SizeClass::COUNT],
    reserve: &'static Mutex<Reserve>,
    /// Stacks that came from the reserve and have not gone back.
    held: usize,
    /// The highest that `held` has been.
    most_held: usize,
}

/// What a pool holds at some moment.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct PoolStats {
    /// Stacks that were taken from this pool and not given back.
    pub(crate) live: usize,
    /// Stacks that wait in this pool for their next use.
    pub(crate) idle: usize,
    /// The most stacks, live and idle, that this pool has held at once.
    pub(crate) high_water: usize,
    /// Stacks that wait in the reserve, which all pools of the process share.
    pub(crate) reserve: usize,
    /// Bytes of addresses that the stacks of the whole process take. Memory is taken only by the
    /// pages that were touched.
    pub(crate) mapped_bytes: usize,
}

/// The idle stacks of one class, the warmest last.
#[derive(Debug)]
struct Shelf {
    idle: Vec<Stack>,
    /// How many stacks the next refill asks for; zero before the first.
    refill: usize,
}

/// How many idle stacks a pool keeps of each class: 4,096 of the smallest, 1,024 of those that fibers
/// commonly have, none of 512 MiB or more.
const WATERMARKS: [usize; SizeClass::COUNT] = {
    let mut marks = [0; SizeClass::COUNT];
    let mut index = 0;
    while index < SizeClass::COUNT {
        marks[index] = watermark(SizeClass::from_index(index).bytes());
        index += 1;
    }
    marks
};

/// How many idle stacks of so many bytes a pool keeps.
///
/// Most stacks have touched a page or two of their addresses, so up to a megabyte it is their number
/// that counts, whatever their size. A larger one was asked for by a fiber that needs it.
const fn watermark(bytes: usize) -> usize {
    /// If every idle stack had been used to its far end, they would hold so much memory.
    const WARM_BYTES: usize = 256 << 20;
    const LARGE: usize = 2 << 20;
    match WARM_BYTES / bytes {
        4096.. => 4096,
        ..1024 if bytes < LARGE => 1024,
        count => count,
    }
}

impl Pool {
    /// An empty pool; it asks the system for nothing before its first stack.
    pub(crate) const fn new() -> Pool {
        Pool::over(&RESERVE)
    }

    const fn over(reserve: &'static Mutex<Reserve>) -> Pool {
        let shelves = [const { Shelf { idle: Vec::new(), refill: 0 } }; SizeClass::COUNT];
        Pool { shelves, reserve, held: 0, most_held: 0 }
    }

    /// Takes a stack: the one that was given back last, if any is idle.
    #[inline]
    pub(crate) fn take(&mut self, class: SizeClass) -> io::Result<Stack> {
        match self.shelves[class.index()].idle.pop() {
            Some(stack) => Ok(stack),
            None => self.take_from_reserve(class),
        }
    }

    /// Sees to it that the next [`take`](Pool::take) of this class succeeds.
    pub(crate) fn prepare(&mut self, class: SizeClass) -> io::Result<()> {
        if self.shelves[class.index()].idle.is_empty() {
            let stack = self.take_from_reserve(class)?;
            self.shelves[class.index()].idle.push(stack);
        }
        Ok(())
    }

    /// Takes a stack back. Nothing may run on it, and nobody may look into it any more.
    #[inline]
    pub(crate) fn give(&mut self, stack: Stack) {
        if cfg!(sanitized) {
            return self.give_to_quarantine(stack);
        }
        self.shelve(stack);
    }

    #[inline(always)]
    fn shelve(&mut self, stack: Stack) {
        let index = stack.class().index();
        let idle = &mut self.shelves[index].idle;
        if WATERMARKS[index] <= idle.len() {
            return self.give_beyond_watermark(stack);
        }
        idle.push(stack);
    }

    /// What the pool holds now; exact if its stacks are given back to it and not to another pool.
    pub(crate) fn stats(&self) -> PoolStats {
        let idle = self.shelves.iter().map(|shelf| shelf.idle.len()).sum();
        let reserve = self.lock();
        PoolStats {
            live: self.held.saturating_sub(idle),
            idle,
            high_water: self.most_held,
            reserve: reserve.idle(),
            mapped_bytes: reserve.mapped_bytes(),
        }
    }

    #[cold]
    #[inline(never)]
    fn take_from_reserve(&mut self, class: SizeClass) -> io::Result<Stack> {
        let shelf = &mut self.shelves[class.index()];
        shelf.refill = next_refill(shelf.refill, Shape::of(class).stride());
        lock(self.reserve).take(class, shelf.refill, &mut shelf.idle)?;
        self.held += shelf.idle.len();
        self.most_held = self.most_held.max(self.held);
        Ok(shelf.idle.pop().expect("the reserve gives at least one stack or an error"))
    }

    /// Gives a stack back so that its next use, here or elsewhere, is far off.
    #[cold]
    #[inline(never)]
    fn give_to_quarantine(&mut self, stack: Stack) {
        self.held = self.held.saturating_sub(1);
        let mut oldest = Vec::new();
        lock(self.reserve).quarantine(stack, &mut oldest);
        self.held += oldest.len();
        oldest.into_iter().for_each(|stack| self.shelve(stack));
    }

    #[cold]
    #[inline(never)]
    fn give_beyond_watermark(&mut self, stack: Stack) {
        let class = stack.class();
        self.shelves[class.index()].idle.push(stack);
        self.trim(class, WATERMARKS[class.index()] / 2);
    }

    /// Gives all but the `keep` warmest stacks of a class back to the reserve, and their pages to
    /// the kernel.
    fn trim(&mut self, class: SizeClass, keep: usize) {
        let idle = &mut self.shelves[class.index()].idle;
        let cold = idle.len().saturating_sub(keep);
        if cold == 0 {
            return;
        }
        idle[..cold].sort_unstable_by_key(Stack::limit);
        slab::discard(&idle[..cold]);
        lock(self.reserve).give(class, idle.drain(..cold));
        // Stacks of other pools may be among them.
        self.held = self.held.saturating_sub(cold);
    }

    fn lock(&self) -> MutexGuard<'static, Reserve> {
        lock(self.reserve)
    }
}

impl Drop for Pool {
    /// Gives everything idle back to the reserve.
    fn drop(&mut self) {
        for index in 0..SizeClass::COUNT {
            self.trim(SizeClass::from_index(index), 0);
        }
    }
}

/// How many stacks to ask for after `last`: few at first, for a program may need just one; then
/// twice as many each time, because one call guards many for three quarters of the price, up to
/// 64 MiB of addresses or 256 stacks.
fn next_refill(last: usize, stride: usize) -> usize {
    let first = ((2 << 20) / stride).clamp(1, 16);
    let most = ((64 << 20) / stride).clamp(1, 256);
    (last * 2).clamp(first, most)
}

/// A panic cannot leave the reserve half changed in a way that matters: at worst it has forgotten
/// stacks, which leaks them.
fn lock(reserve: &'static Mutex<Reserve>) -> MutexGuard<'static, Reserve> {
    locked(reserve)
}

#[cfg(test)]
mod tests;
