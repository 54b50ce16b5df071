//! Memory for fibers' records, from the thread's shelves or the global allocator.
//!
//! Invariants:
//! - Each type has its place: those that fit a shelf always come from that shelf, and the others
//!   from the global allocator.

#![allow(unsafe_code, reason = "allocates")]

use std::alloc::{self, Layout};
use std::ptr::NonNull;

use crate::fiber::current::{self, ThreadState};
use crate::fiber::shelves::Shelf;
use crate::stack::Pool;

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
    let shelved = ThreadState::with(|thread| thread.shelves.of::<T>().map(Shelf::take_from_chunk));
    if let Some(block) = shelved {
        return block.cast();
    }
    let layout = Layout::new::<T>();
    // SAFETY: the size of the layout is not zero: checked above.
    let block = unsafe { alloc::alloc(layout) };
    match NonNull::new(block) {
        Some(block) => block.cast(),
        None => alloc::handle_alloc_error(layout),
    }
}

/// Frees the memory of a `T`, which was dropped or never initialised.
///
/// # Safety
///
/// `at` must come from [`allocate`] with this type, on this thread, and must not be used again.
#[inline(always)]
pub(crate) unsafe fn free<T>(at: NonNull<T>) {
    let block = at.cast::<u8>();
    // SAFETY: a type has one shelf, so `allocate` took the block from there. The rest is the
    // caller's promise.
    let give = |shelf: &Shelf| unsafe { shelf.give(block) };
    match ThreadState::with(|thread| thread.shelves.of::<T>().map(give)) {
        Some(false) => {}
        Some(true) => look_after_memory(),
        // SAFETY: without a shelf `allocate` used the global allocator with this layout.
        None => unsafe { alloc::dealloc(block.as_ptr(), Layout::new::<T>()) },
    }
}

/// Makes the scheduler look after unused memory at the ends of periods.
#[cold]
#[inline(never)]
fn look_after_memory() {
    current::try_with_pool(Pool::stir);
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
