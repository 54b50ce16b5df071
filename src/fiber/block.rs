//! Memory for fibers' records, from the thread's shelves or the global allocator.
//!
//! Invariants:
//! - Blocks come from the global allocator, and those of a shelf are all of one layout; types that
//!   fit no shelf go to the allocator directly. So it does not matter whether a shelf is there when
//!   a block is freed.

#![allow(unsafe_code, reason = "allocates")]

use std::alloc;
use std::ptr::NonNull;

use crate::fiber::current::ThreadState;
use crate::fiber::shelves::{Shelf, layout};

/// Memory for a `T`, not initialised. The caller frees it with [`free`].
#[inline(always)]
pub(crate) fn allocate<T>() -> NonNull<T> {
    match ThreadState::with(|thread| thread.shelves.of::<T>().and_then(Shelf::take)) {
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
    if ThreadState::with(|thread| thread.shelves.of::<T>().is_some_and(|shelf| shelf.put(block))) {
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
            ThreadState::with(|thread| thread.shelves.open());
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
