//! The call that gives unused stacks back to the system immediately.

use crate::fiber::current;

/// Gives all unused stacks of this thread's scheduler back to the system, and returns how many
/// there were.
///
/// A scheduler gives stacks back by itself when its fibers have not needed them for a while; see
/// [`guide::stack_sizes_and_memory`](crate::guide::stack_sizes_and_memory#memory-of-unused-stacks).
/// Call this where memory is wanted sooner: after a phase with many fibers, or before something that
/// needs much memory. The next fibers get new stacks, whose pages the system has to provide first.
///
/// The call takes about half a microsecond per stack, in which no other fiber runs. It may be called
/// inside and outside of fibers. Generators and greenlets in a [`frame`](crate::frame) have a pool
/// of stacks of their own, of which this is true as well; other threads have their own stacks, which
/// stay as they are. Outside of [`run`](crate::run) and `frame` it returns 0.
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
    current::try_with_pool(|pool| pool.trim_and_unmap()).unwrap_or(0)
}
