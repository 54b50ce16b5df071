//! Owns a thread's stacks: one shelf of idle stacks per class, backed by the process-wide reserve.
//!
//! Invariants:
//! - The last stack of a shelf was used last, so its pages are the warmest in the caches.
//! - A shelf holds at most its watermark; when it would exceed it, its coldest half goes back to
//!   the reserve.

use std::io;
use std::sync::{Mutex, MutexGuard};

use super::reserve::{RESERVE, Reserve};
use super::size::SizeClass;
use super::slab;
use super::slot::{Shape, Stack};
use crate::collections::locked::locked;

/// The stacks of one thread.
#[derive(Debug)]
pub(crate) struct Pool {
    shelves: [Shelf; SizeClass::COUNT],
    reserve: &'static Mutex<Reserve>,
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
    /// The most stacks, live and idle, that this pool has held at the same time.
    pub(crate) high_water: usize,
    /// Stacks that wait in the reserve, which all pools of the process share.
    pub(crate) reserve: usize,
    /// Bytes of address space that the stacks of the whole process take. Only pages that were
    /// touched take memory.
    pub(crate) mapped_bytes: usize,
}

/// The idle stacks of one class, the warmest last.
#[derive(Debug)]
struct Shelf {
    idle: Vec<Stack>,
    /// Number of stacks that the last refill asked for; zero before the first.
    refill: usize,
}

/// Number of idle stacks that a pool keeps of each class: 4,096 of the smallest, 1,024 of the
/// common sizes, none of 512 MiB or more.
const WATERMARKS: [usize; SizeClass::COUNT] = {
    let mut marks = [0; SizeClass::COUNT];
    let mut index = 0;
    while index < SizeClass::COUNT {
        marks[index] = watermark(SizeClass::from_index(index).bytes());
        index += 1;
    }
    marks
};

/// Returns how many idle stacks of `bytes` bytes a pool keeps.
///
/// Most stacks have touched a page or two of their addresses, so up to a megabyte their number
/// matters and their size does not. A larger stack is only used by a fiber that asked for it.
const fn watermark(bytes: usize) -> usize {
    /// The memory that all idle stacks would hold if each had been used to its far end.
    const WARM_BYTES: usize = 256 << 20;
    const LARGE: usize = 2 << 20;
    match WARM_BYTES / bytes {
        4096.. => 4096,
        ..1024 if bytes < LARGE => 1024,
        count => count,
    }
}

impl Pool {
    /// Creates an empty pool. It requests nothing from the system before its first stack is taken.
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

    /// Ensures that the next [`take`](Pool::take) of this class succeeds.
    pub(crate) fn prepare(&mut self, class: SizeClass) -> io::Result<()> {
        if self.shelves[class.index()].idle.is_empty() {
            let stack = self.take_from_reserve(class)?;
            self.shelves[class.index()].idle.push(stack);
        }
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
        let index = stack.class().index();
        let idle = &mut self.shelves[index].idle;
        if WATERMARKS[index] <= idle.len() {
            return self.give_beyond_watermark(stack);
        }
        idle.push(stack);
    }

    /// Returns the pool's counts; exact if its stacks are given back to it and not to another pool.
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
    /// Gives all idle stacks back to the reserve.
    fn drop(&mut self) {
        for index in 0..SizeClass::COUNT {
            self.trim(SizeClass::from_index(index), 0);
        }
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
