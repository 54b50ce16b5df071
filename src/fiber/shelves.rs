//! The memory of one thread for the records of fibers. A spawn that follows the end of another
//! fiber takes the block that the other has just left, which is still in the cache. Memory that is
//! not needed any more goes back to the system.
//!
//! ```text
//!   first --> [ ] [ ]    a few free blocks at hand, the one that was given last first
//!   full                 chunks without free blocks, which are in no list
//!   partial --> [ ] [ ]  chunks with free blocks: used up one after the other
//!   unused  --> [ ] [ ]  chunks without records: kept for the next burst, given back by halves
//! ```
//!
//! Invariants:
//! - A chunk is full, or in `partial`, or in `unused`. The blocks at hand count as in use there.
//! - A spawn and an end change only the list of blocks at hand, nearly always.
//! - The fullest chunks, those that a record has left last, are used first, so that the others
//!   become unused.
//! - Records belong to their thread, like the handles that refer to them, so blocks are given back
//!   to the shelf from which they come.
//! - The shelves are open during a `run`. They hold no unused memory otherwise: no destructor of a
//!   thread-local is needed. A chunk in which a record is left when its thread ends is never freed,
//!   and neither is the record.

#![allow(unsafe_code, reason = "links free memory, and gives it back")]

use std::cell::Cell;
use std::ptr::{self, NonNull};

use crate::fiber::chunk::{self, ChunkPtr, LINE, List};
use crate::stack::Tended;

/// The size of blocks for records whose closure and output are up to eight words. The last cache
/// line, with the closure, is touched at the start and the end of the fiber only.
const SMALL: usize = 4 * LINE;

/// The size of blocks for records whose closure and output are up to 16 words larger.
const MEDIUM: usize = 6 * LINE;

/// The number of unused chunks of each size that an open shelf keeps however long nothing needs
/// them.
const FLOOR: usize = 2;

/// The most blocks of each size at hand.
const MOST: usize = 64;

/// The number of blocks that are taken from a chunk at a time. It is the number that is carved.
const FETCHED: usize = 16;

/// The most chunks that are given back without a look at anything else. Freeing their pages takes
/// about 0.1 ms.
const SLICE: usize = 64;

/// The memory for records of one thread.
#[derive(Debug)]
pub(crate) struct Shelves {
    small: Shelf,
    medium: Shelf,
}

/// The memory for blocks of one size.
#[derive(Debug)]
pub(crate) struct Shelf {
    /// The size of its blocks.
    size: usize,
    first: Cell<*mut u8>,
    /// The number of blocks for which there is room at hand; 0 while the shelf is closed.
    room: Cell<usize>,
    partial: List,
    unused: List,
    /// The number of chunks in `unused`.
    count: Cell<usize>,
    /// The lowest value of `count` in this period.
    lowest: Cell<usize>,
    /// The number of chunks of `unused` that will be given back.
    leaving: Cell<usize>,
    is_open: Cell<bool>,
}

impl Shelves {
    pub(crate) const fn closed() -> Shelves {
        Shelves { small: Shelf::closed(SMALL), medium: Shelf::closed(MEDIUM) }
    }

    pub(crate) fn open(&self) {
        self.each(Shelf::open);
    }

    /// Gives all unused memory back to the allocator, and keeps none from now on.
    pub(crate) fn close(&self) {
        self.each(Shelf::close);
    }

    /// Returns the shelf for blocks that hold a `T`; `None` if they fit no shelf. Under a sanitizer
    /// none does: it must see each block freed, to find uses after that.
    #[inline(always)]
    pub(crate) fn of<T>(&self) -> Option<&Shelf> {
        if cfg!(sanitized) {
            None
        } else if fits::<T>(SMALL) {
            Some(&self.small)
        } else if fits::<T>(MEDIUM) {
            Some(&self.medium)
        } else {
            None
        }
    }

    /// Returns whether there is memory left to give back that was not needed in the last period.
    pub(crate) fn is_giving_back(&self) -> bool {
        self.small.leaving.get() != 0 || self.medium.leaving.get() != 0
    }

    /// Gives all unused chunks back to the system.
    pub(crate) fn trim(&self) {
        self.each(Shelf::trim);
    }

    fn each(&self, f: impl Fn(&Shelf)) {
        f(&self.small);
        f(&self.medium);
    }
}

impl Tended for Shelves {
    fn end_period(&self) {
        self.each(Shelf::end_period);
    }

    fn give_slice_back(&self) -> bool {
        self.each(|shelf| shelf.give_back(shelf.leaving.get().min(SLICE)));
        self.is_giving_back()
    }

    fn is_stirred(&self) -> bool {
        self.small.is_stirred() || self.medium.is_stirred()
    }
}

impl Shelf {
    const fn closed(size: usize) -> Shelf {
        Shelf {
            size,
            first: Cell::new(ptr::null_mut()),
            room: Cell::new(0),
            partial: List::new(),
            unused: List::new(),
            count: Cell::new(0),
            lowest: Cell::new(0),
            leaving: Cell::new(0),
            is_open: Cell::new(false),
        }
    }

    fn open(&self) {
        self.is_open.set(true);
        self.room.set(MOST);
    }

    /// Takes the block at hand that was given last.
    #[inline(always)]
    pub(crate) fn take(&self) -> Option<NonNull<u8>> {
        let first = NonNull::new(self.first.get())?;
        // SAFETY: the block is free, and was linked when it was carved or given.
        self.first.set(unsafe { chunk::next(first) });
        self.room.set(self.room.get() + 1);
        Some(first)
    }

    /// Takes a block when [`take`](Shelf::take) finds none.
    pub(crate) fn take_from_chunk(&self) -> NonNull<u8> {
        let most = if self.is_open.get() { FETCHED } else { 1 };
        loop {
            let chunk = self.partial.first().unwrap_or_else(|| self.add_chunk());
            let (list, count) = chunk.take(most);
            if chunk.is_full() {
                self.partial.remove(chunk);
            }
            let Some(block) = NonNull::new(list) else { continue };
            // SAFETY: the block is the first of the list, so it was linked.
            self.first.set(unsafe { chunk::next(block) });
            self.room.set(self.room.get() + 1 - count);
            return block;
        }
    }

    /// Adds a chunk to `partial`.
    fn add_chunk(&self) -> ChunkPtr {
        let chunk = self.pop_unused().unwrap_or_else(|| ChunkPtr::allocate(self.size));
        self.partial.push(chunk);
        chunk
    }

    /// Takes a block back. Returns whether the ends of periods matter to the shelf from now on.
    ///
    /// # Safety
    ///
    /// `block` must come from this shelf, and must not be used again.
    #[inline(always)]
    pub(crate) unsafe fn give(&self, block: NonNull<u8>) -> bool {
        let room = self.room.get();
        if room == 0 {
            // SAFETY: the caller's promises.
            return unsafe { self.give_to_chunk(block) };
        }
        // SAFETY: nothing uses the block any more (the caller's promise).
        unsafe { chunk::link(block, self.first.get()) };
        self.first.set(block.as_ptr());
        self.room.set(room - 1);
        false
    }

    /// # Safety
    ///
    /// Those of [`give`](Shelf::give).
    #[inline(never)]
    unsafe fn give_to_chunk(&self, block: NonNull<u8>) -> bool {
        // SAFETY: all blocks of a shelf were carved from chunks.
        let chunk = unsafe { ChunkPtr::of(block) };
        let was_full = chunk.is_full();
        // SAFETY: the block was in use until now (the caller's promise).
        unsafe { chunk.give(block) };
        if was_full {
            self.partial.push(chunk);
        }
        if !chunk.is_unused() {
            return false;
        }
        self.partial.remove(chunk);
        self.keep_or_free(chunk)
    }

    /// Gives the blocks at hand to their chunks.
    fn give_all_at_hand(&self) {
        while let Some(block) = self.take() {
            // SAFETY: the block comes from this shelf, and was free.
            unsafe { self.give_to_chunk(block) };
        }
    }

    fn trim(&self) {
        self.give_all_at_hand();
        self.give_back(usize::MAX);
    }

    /// Takes a chunk that has become unused. Returns whether the shelf keeps more than it would
    /// keep forever.
    #[cold]
    fn keep_or_free(&self, chunk: ChunkPtr) -> bool {
        if !self.is_open.get() {
            // SAFETY: the chunk is unused, and was just taken out of its list.
            unsafe { chunk.free(false) };
            return false;
        }
        chunk.reset();
        self.unused.push(chunk);
        self.count.set(self.count.get() + 1);
        self.is_stirred()
    }

    fn pop_unused(&self) -> Option<ChunkPtr> {
        let chunk = self.unused.pop()?;
        let count = self.count.get() - 1;
        self.count.set(count);
        self.lowest.set(self.lowest.get().min(count));
        self.leaving.set(self.leaving.get().min(count));
        Some(chunk)
    }

    fn is_stirred(&self) -> bool {
        FLOOR < self.count.get()
    }

    /// The number that is always unused in a period is what nothing has needed in it.
    fn end_period(&self) {
        self.give_all_at_hand();
        let count = self.count.get();
        let unneeded = self.lowest.replace(count).min(count);
        let stay = if unneeded <= FLOOR { 0 } else { unneeded / 2 };
        let most = count.saturating_sub(FLOOR);
        self.leaving.set((unneeded - stay).min(most));
    }

    /// Gives up to `most` unused chunks back to the system.
    fn give_back(&self, most: usize) {
        for _ in 0..most.min(self.count.get()) {
            let left = self.leaving.get().saturating_sub(1);
            if let Some(chunk) = self.pop_unused() {
                // SAFETY: the chunk is unused, and in no list any more.
                unsafe { chunk.free(true) };
            }
            self.leaving.set(left.min(self.count.get()));
        }
    }

    fn close(&self) {
        self.is_open.set(false);
        self.give_all_at_hand();
        self.room.set(0);
        self.give_back(usize::MAX);
    }
}

pub(crate) const fn fits<T>(block: usize) -> bool {
    size_of::<T>() <= block && align_of::<T>() <= LINE
}

#[cfg(test)]
mod tests;
