//! The call that gives unused stacks back to the system immediately.

use crate::fiber::current::{self, ThreadState};

/// Gives all unused stacks of this thread's scheduler back to the system, and returns how many
/// there were.
///
/// A scheduler gives stacks back by itself when its fibers have not needed them for a while; see
/// [`guide::stack_sizes_and_memory`](crate::guide::stack_sizes_and_memory#memory-of-unused-stacks).
/// Call this where memory is needed sooner: after a phase with many fibers, or before a call that
/// needs much memory. The next fibers get new stacks, whose pages the system has to provide first.
///
/// No other fiber runs during the call. Its time is in proportion to the number of stacks: tens of
/// milliseconds for 100,000. In a [`frame`](crate::frame) it gives back the unused stacks of
/// generators and greenlets. The stacks of other threads are not changed. Outside of
/// [`run`](crate::run) and `frame` it returns 0.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let fibers: Vec<_> = (0..1_000).map(|_| fibra::spawn(fibra::yield_now)).collect();
///     fibers.into_iter().for_each(|fiber| fiber.join().unwrap());
///     assert!(1_000 <= fibra::trim_stacks());
///     assert_eq!(fibra::stats().stacks_idle, 0);
/// });
/// assert_eq!(fibra::trim_stacks(), 0);
/// ```
pub fn trim_stacks() -> usize {
    ThreadState::with(|thread| thread.shelves.trim());
    current::try_with_pool(|pool| pool.trim_and_unmap()).unwrap_or(0)
}
