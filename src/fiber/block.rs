//! Memory for fibers' records, from the thread's shelves or the global allocator.
//!
//! Invariants:
//! - Blocks come from the global allocator, and those of a shelf all have one layout. Types that
//!   fit no shelf go to the allocator directly. So a block may be freed with or without a shelf,
//!   however it was allocated.

#![allow(unsafe_code, reason = "allocates")]

use std::alloc;
use std::ptr::NonNull;

use crate::fiber::current::ThreadState;
use crate::fiber::shelves::{Shelf, layout};

/// Allocates memory for a `T`, not initialised. The caller frees it with [`free`].
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
    const { assert!(size_of::<T>() != 0, "an allocation needs a size") };
    // SAFETY: the size of the layout is not zero: checked above.
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
    // SAFETY: `allocate` used this layout for this type, even if the block came from the shelf.
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
            // SAFETY: the block is used after `free`: that is the error which is tested. The
            // sanitizer reports it and ends the child process. The other calls are as promised.
            unsafe {
                block.write(7);
                free(block);
                // The next block would be the same one if any were kept.
                let next = allocate::<u64>();
                next.write(8);
                std::hint::black_box(block.read_volatile());
            }
        });
        assert_reported(&output);
    }
}
