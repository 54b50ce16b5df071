//! Hints to the processor about memory that a fiber will touch a few turns from now.

#![allow(unsafe_code, reason = "the prefetch instruction")]

use crate::fiber::header::FiberPtr;

/// Prefetches the part of a fiber's record that a switch touches.
#[inline(always)]
pub(crate) fn header(fiber: FiberPtr) {
    line(fiber.as_ptr().addr());
}

/// Prefetches the top of a fiber's suspended stack: the frame that runs first, and the word at its
/// base that holds the address to which a switch returns. More lines of the stack cost more than
/// they save: a processor fetches few lines at the same time.
#[inline(always)]
pub(crate) fn stack(fiber: FiberPtr) {
    let at = fiber.sp_mark.get();
    line(at.wrapping_sub(64));
    line(at);
    line(fiber.context.base_mark());
}

#[inline(always)]
fn line(address: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the instruction is part of SSE, which every x86-64 processor has, and it is a
        // hint that faults for no address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::without_provenance(address)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
