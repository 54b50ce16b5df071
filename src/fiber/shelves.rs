//! The free lists of used blocks of one thread. A spawn that follows the end of another fiber takes
//! the block that the other has just left, which is still in the cache. With `malloc` and `free`
//! instead, these took a fifth of the time of a spawn and join.
//!
//! ```text
//!   shelf.first --> | next | . . . |   | next | . . . |   | null | . . . |     free blocks
//!                       \______________^    \_____________^
//! ```
//!
//! Invariants:
//! - The blocks of a shelf were allocated by the global allocator with the layout of the shelf.
//! - The shelves belong to one thread, are open during a `run`, and empty otherwise: no destructor
//!   of a thread-local is needed.

#![allow(unsafe_code, reason = "links free memory, and gives it back")]

use std::alloc::{self, Layout};
use std::cell::Cell;
use std::ptr::{self, NonNull};

/// The layout for records whose closure and output are a word or two. The last cache line, with the
/// origin of the fiber and the closure, is touched at the start and the end of the fiber only.
const SMALL: Layout = Layout::new::<[u64; 25]>();

/// The layout for records whose closure and output are up to 16 words larger.
const MEDIUM: Layout = Layout::new::<[u64; 41]>();

/// The number of blocks of each layout that are kept for the next spawns: 50 KiB and 82 KiB. Under
/// a sanitizer none is kept: it must see each block freed, to find uses after that.
const MOST: u32 = if cfg!(sanitized) { 0 } else { 256 };

/// Used blocks of one thread.
#[derive(Debug)]
pub(crate) struct Shelves {
    small: Shelf,
    medium: Shelf,
}

/// Used blocks of one layout.
#[derive(Debug)]
pub(crate) struct Shelf {
    layout: Layout,
    first: Cell<*mut u8>,
    /// The number of blocks for which there is room; 0 while the shelf is closed.
    room: Cell<u32>,
}

impl Shelves {
    pub(crate) const fn closed() -> Shelves {
        Shelves { small: Shelf::closed(SMALL), medium: Shelf::closed(MEDIUM) }
    }

    pub(crate) fn open(&self) {
        self.small.room.set(MOST);
        self.medium.room.set(MOST);
    }

    /// Gives all blocks back to the allocator, and takes no more.
    pub(crate) fn close(&self) {
        self.small.close();
        self.medium.close();
    }

    /// Returns the shelf for blocks that hold a `T`; `None` if they fit no shelf.
    #[inline(always)]
    pub(crate) fn of<T>(&self) -> Option<&Shelf> {
        if fits::<T>(SMALL) {
            Some(&self.small)
        } else if fits::<T>(MEDIUM) {
            Some(&self.medium)
        } else {
            None
        }
    }
}

impl Shelf {
    const fn closed(layout: Layout) -> Shelf {
        Shelf { layout, first: Cell::new(ptr::null_mut()), room: Cell::new(0) }
    }

    fn close(&self) {
        while let Some(block) = self.take() {
            // SAFETY: blocks on the shelf were allocated with this layout and belong to it alone.
            unsafe { alloc::dealloc(block.as_ptr(), self.layout) };
        }
        self.room.set(0);
    }

    #[inline(always)]
    pub(crate) fn take(&self) -> Option<NonNull<u8>> {
        let first = NonNull::new(self.first.get())?;
        // SAFETY: a block on the shelf begins with the address of the next (`put`).
        self.first.set(unsafe { first.cast::<*mut u8>().read() });
        self.room.set(self.room.get() + 1);
        Some(first)
    }

    /// Keeps `block`, which must be of this shelf's layout, unless the shelf is full or closed.
    /// Returns whether it was kept.
    #[inline(always)]
    pub(crate) fn put(&self, block: NonNull<u8>) -> bool {
        let room = self.room.get();
        if room == 0 {
            return false;
        }
        // SAFETY: the block is large enough and aligned for an address, and nothing uses it.
        unsafe { block.cast::<*mut u8>().write(self.first.get()) };
        self.first.set(block.as_ptr());
        self.room.set(room - 1);
        true
    }
}

const fn fits<T>(block: Layout) -> bool {
    size_of::<T>() <= block.size() && align_of::<T>() <= block.align()
}

pub(crate) const fn layout<T>() -> Layout {
    if fits::<T>(SMALL) {
        SMALL
    } else if fits::<T>(MEDIUM) {
        MEDIUM
    } else {
        Layout::new::<T>()
    }
}
