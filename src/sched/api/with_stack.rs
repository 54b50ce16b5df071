//! Calls on a stack that the fiber borrows: a larger one, as users ask for it, or a warm one, for what
//! stands above `sched/`. How it is borrowed is `fiber/borrowed_stack.rs`.

use crate::fiber::{borrowed_stack, current, frame};
#[cfg(any(feature = "http", feature = "tls"))]
use crate::sched::core::scheduler::try_current_fiber;
use crate::stack::SizeClass;

/// Calls `f` on another stack, of at least `bytes` (1 GiB at most): for a call that needs more than the
/// fiber has.
///
/// So fibers may have small stacks although once in a while they parse a deep document or call a hungry
/// C library. It is the same fiber, before, in and after the call: `f` may wait, yield from a
/// generator, be killed, panic. Sizes are rounded as those of
/// [`Builder::stack_size`](crate::Builder::stack_size) are; the stack goes back when `f` returns. Such a
/// call costs about as much as a yield, so it may stand in a recursive function.
///
/// On a plain thread, whose stacks are large, `f` is just called; but not in its generators.
///
/// # Panics
///
/// Panics if no such stack can be had; the text says which limit was met.
///
/// # Examples
///
/// ```
/// fn depth(of: u32) -> u32 {
///     let frame = std::hint::black_box([0u8; 1000]);
///     if of == 0 { u32::from(frame[0]) } else { depth(of - 1) + 1 }
/// }
///
/// fibra::run(|| {
///     let small = fibra::Builder::new().stack_size(16 << 10);
///     let fiber = small.spawn(|| fibra::with_stack_size(8 << 20, || depth(1000)));
///     assert_eq!(fiber.join().unwrap(), 1000);
/// });
/// ```
#[inline]
#[track_caller]
pub fn with_stack_size<R>(bytes: usize, f: impl FnOnce() -> R) -> R {
    let fiber = current::fiber();
    if fiber.is_none() && !frame::thread_runs_coroutine() {
        return f();
    }
    match borrowed_stack::call(fiber, SizeClass::for_bytes(bytes), f) {
        Ok(result) => result,
        Err((error, _)) => panic!("no stack of {bytes} bytes for a call: {error}"),
    }
}

/// Calls `f` on the stack that was used last, or if there is none on the fiber's own. It is as large as
/// any that fibers get who ask for nothing, and as the fiber's own.
///
/// Of many fibers that take turns each finds its own stack in no cache. So the one for deep calls that
/// leave nothing behind is better shared.
#[cfg(any(feature = "http", feature = "tls"))]
#[inline]
pub(crate) fn on_warm_stack<R>(f: impl FnOnce() -> R) -> R {
    let Some(current) = try_current_fiber() else { return f() };
    let bytes = current.fiber.class.bytes().max(SizeClass::DEFAULT.bytes());
    match borrowed_stack::call(Some(current.fiber), SizeClass::for_bytes(bytes), f) {
        Ok(result) => result,
        Err((_, f)) => f(),
    }
}
