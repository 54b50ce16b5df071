//! Memory for fibers' records, with a shelf of used blocks: a spawn that follows an end takes the
//! block that the other has just left, which is warm. With malloc and free in its place these took
//! a fifth of a spawn and join.
//!
//! ```text
//!   shelf.first --> | next | . . . |   | next | . . . |   | null | . . . |     free blocks
//!                       \______________^    \_____________^
//! ```
//!
//! Invariants:
//! - Blocks come from the global allocator, and those of a shelf are all of one layout; types that
//!   fit no shelf go to the allocator directly. So it does not matter whether a shelf is there when a block is freed.
//! - The shelves belong to one thread, are open for the time of a `run`, and empty otherwise: no
//!   destructor of a thread-local is needed.

#![allow(unsafe_code, reason = "allocates")]

use std::alloc::{self, Layout};
use std::cell::Cell;
use std::ptr::{self, NonNull};

use crate::fiber::current;

/// Records whose closure and output are a word or two fit into this: with what malloc adds, three
/// cache lines.
const SMALL: Layout = Layout::new::<[u64; 23]>();

/// Records whose closure and output are some more words.
const MEDIUM: Layout = Layout::new::<[u64; 39]>();

/// Blocks of a layout that are kept for the next spawns: 46 KiB and 78 KiB. A sanitizer wants to see
/// each of them freed, so that it can tell when one is used afterwards.
const MOST: u32 = if cfg!(sanitized) { 0 } else { 256 };

/// Used blocks of one thread.
#[derive(Debug)]
pub(crate) struct Shelves {
    small: Shelf,
    medium: Shelf,
}

/// Used blocks of one layout.
#[derive(Debug)]
struct Shelf {
    layout: Layout,
    first: Cell<*mut u8>,
    /// How many more may be put on; none while the shelf is closed.
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

    /// The shelf for blocks that hold a `T`.
    #[inline(always)]
    fn of<T>(&self) -> Option<&Shelf> {
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
    fn take(&self) -> Option<NonNull<u8>> {
        let first = NonNull::new(self.first.get())?;
        // SAFETY: a block on the shelf begins with the address of the next (`put`).
        self.first.set(unsafe { first.cast::<*mut u8>().read() });
        self.room.set(self.room.get() + 1);
        Some(first)
    }

    /// Takes `block`, which must be of this shelf's layout, unless the shelf is full or closed.
    #[inline(always)]
    fn put(&self, block: NonNull<u8>) -> bool {
        let room = self.room.get();
        if room == 0 {
            return false;
        }
        // SAFETY: the block is large enough and aligned for an address, and nobody uses it.
        unsafe { block.cast::<*mut u8>().write(self.first.get()) };
        self.first.set(block.as_ptr());
        self.room.set(room - 1);
        true
    }
}

const fn fits<T>(block: Layout) -> bool {
    size_of::<T>() <= block.size() && align_of::<T>() <= block.align()
}

const fn layout<T>() -> Layout {
    if fits::<T>(SMALL) {
        SMALL
    } else if fits::<T>(MEDIUM) {
        MEDIUM
    } else {
        Layout::new::<T>()
    }
}

/// Memory for a `T`, not initialised. The caller frees it with [`free`].
#[inline(always)]
pub(crate) fn allocate<T>() -> NonNull<T> {
    match current::here(|here| here.shelves.of::<T>().and_then(Shelf::take)) {
        Some(block) => block.cast(),
        None => fresh(),
    }
}

#[cold]
#[inline(never)]
fn fresh<T>() -> NonNull<T> {
    const { assert!(size_of::<T>() != 0, "the allocator wants a size") };
    // SAFETY: the layout is not of size zero: checked above.
    let block = unsafe { alloc::alloc(layout::<T>()) };
    match NonNull::new(block) {
        Some(block) => block.cast(),
        None => alloc::handle_alloc_error(layout::<T>()),
    }
}

/// Frees the memory of a `T`, which was dropped or never initialised.
///
/// # Safety
///
/// `at` must come from [`allocate`] with this type, and must not be used again.
#[inline(always)]
pub(crate) unsafe fn free<T>(at: NonNull<T>) {
    let block = at.cast::<u8>();
    if current::here(|here| here.shelves.of::<T>().is_some_and(|shelf| shelf.put(block))) {
        return;
    }
    // SAFETY: `allocate` used this layout for this type, also when the block came from the shelf.
    unsafe { alloc::dealloc(block.as_ptr(), layout::<T>()) };
}

#[cfg(all(test, sanitized))]
mod tests {
    use super::*;
    use crate::stack::testing::{assert_reported, in_child, this_test};

    #[test]
    fn the_sanitizer_reports_a_use_of_a_block_that_was_freed() {
        let test = this_test!(the_sanitizer_reports_a_use_of_a_block_that_was_freed);
        let output = in_child(test, &[], || {
            current::here(|here| here.shelves.open());
            let block = allocate::<u64>();
            // SAFETY: none for the last: it is the mistake that is tested. It ends the child.
            unsafe {
                block.write(7);
                free(block);
                // The next one would be the same block if any were kept.
                let next = allocate::<u64>();
                next.write(8);
                std::hint::black_box(block.read_volatile());
            }
        });
        assert_reported(&output);
    }
}
