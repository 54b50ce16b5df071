//! Clean-up that a kill does not interrupt.

use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use crate::fiber::cancel::{self, CancelScope};
use crate::fiber::current;
use crate::sched::core::interrupt;
use crate::sched::core::region::{self, Limit};
use crate::sched::core::scheduler::current_fiber;

/// Runs `f` without kill points: a kill that arrives meanwhile is raised at the first wait after
/// `f`.
///
/// This function is no kill point itself. A loop that only calls this function is never ended by a
/// kill or a time limit, unless there is another wait or a [`checkpoint`] between two calls.
///
/// # Panics
///
/// Panics outside of a fiber.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let saver = fibra::spawn(|| {
///         fibra::shield(|| {
///             fibra::yield_now(); // killed here, and not unwound
///             println!("saved");
///         });
///         fibra::yield_now(); // unwound here
///         unreachable!();
///     });
///     fibra::yield_now();
///     saver.kill();
///     assert!(saver.join().unwrap_err().is_killed());
/// });
/// ```
#[track_caller]
pub fn shield<T>(f: impl FnOnce() -> T) -> T {
    cancel::within(current_fiber().fiber, &CancelScope::shield(), f)
}

/// Shields `f` like [`shield`], but puts a kill off for no longer than `grace` from now on.
///
/// This is for clean-up that depends on others and must not delay the end of the fiber forever.
/// When the time is over, the shield has no effect any more: a kill or cancellation that has
/// arrived unwinds `f` from where it waits, and so does one that arrives later. (The clean-up of
/// [`finally`] is in a shield of its own: to limit its time, use a
/// [`timeout`](crate::time::timeout) inside it.)
///
/// # Panics
///
/// Panics outside of a fiber.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// fibra::run(|| {
///     let client = fibra::spawn(|| {
///         // A server that does not answer the goodbye.
///         fibra::shield_for(Duration::from_millis(1), fibra::park);
///     });
///     fibra::yield_now();
///     client.kill(); // put off for at most a millisecond
///     assert!(client.join().unwrap_err().is_killed());
/// });
/// ```
#[track_caller]
pub fn shield_for<T>(grace: Duration, f: impl FnOnce() -> T) -> T {
    let current = current_fiber();
    let now = current.sched.time.clock.now();
    region::shield_until(current, Limit::at(current, now, now.checked_add(grace)), f)
}

/// Runs `body`, and then `cleanup` whether or not `body` unwound. Afterwards continues the unwind,
/// or returns the result of `body`.
///
/// This is the pattern for clean-up that waits (sends, locks, sleeps). In a destructor such waits
/// work too, but there the thread counts as panicking as long as they last: other fibers that drop
/// the guard of a [`std::sync::Mutex`] meanwhile poison it, and kills arrive late. `cleanup` runs
/// while nothing unwinds, and is [shielded](shield) from kills. May also be called outside of a
/// fiber, where there are no kills.
///
/// # Panics
///
/// Panics with the panic of `body` or `cleanup`; if both panic, with that of `cleanup`.
///
/// # Examples
///
/// ```
/// let total = fibra::run(|| fibra::finally(|| 6 * 7, || println!("done")));
/// assert_eq!(total, 42);
/// ```
#[track_caller]
pub fn finally<T>(body: impl FnOnce() -> T, cleanup: impl FnOnce()) -> T {
    let result = panic::catch_unwind(AssertUnwindSafe(body));
    match current::fiber() {
        Some(fiber) => cancel::within(fiber, &CancelScope::shield(), cleanup),
        None => cleanup(),
    }
    result.unwrap_or_else(|payload| panic::resume_unwind(payload))
}

/// Unwinds if this fiber was killed or cancelled, and returns immediately otherwise.
///
/// This is a kill point for long computations without a wait. [`yield_now`](crate::yield_now) is
/// one as well, and also makes room for other fibers.
///
/// # Panics
///
/// Panics outside of a fiber.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let fiber = fibra::spawn(|| {
///         fibra::shield(|| fibra::current().kill()); // put off by the shield
///         fibra::checkpoint(); // a kill takes effect here
///         unreachable!();
///     });
///     assert!(fiber.join().unwrap_err().is_killed());
/// });
/// ```
#[track_caller]
pub fn checkpoint() {
    let current = current_fiber();
    current.sched.heed_kill_request();
    if !current.fiber.signals.get().is_none() {
        interrupt::checkpoint(current);
    }
}
