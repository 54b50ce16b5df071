//! Hints to the processor about memory that a fiber will touch a few turns from now.

#![allow(unsafe_code, reason = "the prefetch instruction")]

use crate::fiber::header::FiberPtr;

/// Prefetches the part of a fiber's record that a switch touches.
#[inline(always)]
pub(crate) fn header(fiber: FiberPtr) {
    line(fiber.as_ptr().addr());
}

/// Prefetches the top of a fiber's suspended stack: the frames that run first, and the word at its
/// base that holds the address to which a switch returns. With one line less a fiber that ends, and
/// so leaves several frames, takes 10 ns more; with one more, yields among 100,000 take longer.
#[inline(always)]
pub(crate) fn stack(fiber: FiberPtr) {
    let at = fiber.sp_mark.get();
    for ahead in [0, 64, 128] {
        line(at.wrapping_add(ahead).wrapping_sub(64));
    }
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
