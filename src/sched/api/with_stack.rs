//! Calls on a borrowed stack: a larger one, for users, or a warm one, for the modules above
//! `sched/`. The module `fiber/borrowed_stack.rs` borrows the stack.

use crate::fiber::{borrowed_stack, current, frame};
#[cfg(any(feature = "http", feature = "tls"))]
use crate::sched::core::scheduler::try_current_fiber;
use crate::stack::SizeClass;

/// Calls `f` on another stack of at least `bytes` (1 GiB at most), for a call that needs more stack
/// than the fiber has.
///
/// With this, fibers may have small stacks even if they sometimes parse a deep document or call a C
/// library that needs a large one. The current fiber stays the same before, in and after the call:
/// `f` may wait, yield from a generator, be killed, and panic. Sizes are rounded like those of
/// [`Builder::stack_size`](crate::Builder::stack_size). The stack is returned when `f` returns or
/// unwinds. Such a call costs about as much as a yield, so a recursive function may contain one.
///
/// On a plain thread, whose stack is large, `f` is called directly; but inside a generator of a
/// plain thread, it gets another stack.
///
/// # Panics
///
/// Panics if no such stack is available. The text names the limit that was reached.
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

/// Calls `f` on the stack that was returned to the pool last, or on the fiber's own if no stack is
/// available. The stack is at least as large as the default and as the fiber's own.
///
/// When many fibers take turns, each one's own stack has left the caches. So fibers share one stack
/// for deep calls that leave nothing on it.
#[cfg(any(feature = "http", feature = "tls"))]
#[inline]
pub(crate) fn on_warm_stack<R>(f: impl FnOnce() -> R) -> R {
    let Some(current) = try_current_fiber() else { return on_own_stack(f) };
    let bytes = current.fiber.class.bytes().max(SizeClass::DEFAULT.bytes());
    match borrowed_stack::call(Some(current.fiber), SizeClass::for_bytes(bytes), f) {
        Ok(result) => result,
        Err((_, f)) => on_own_stack(f),
    }
}

/// Calls `f` on the stack of the caller. It is not inlined: otherwise the frame of the caller would
/// have room for all that `f` needs, which is what [`on_warm_stack`] avoids.
#[cfg(any(feature = "http", feature = "tls"))]
#[cold]
#[inline(never)]
fn on_own_stack<R>(f: impl FnOnce() -> R) -> R {
    f()
}
