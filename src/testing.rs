//! Tools for tests of concurrent programs.
//!
//! # Time
//!
//! A [virtual clock](crate::RuntimeBuilder::virtual_clock) stands still while any fiber can run.
//! When all fibers wait, it jumps to the earliest deadline that one of them waits for. So a test
//! runs a program of twelve hours in milliseconds, exact to the microsecond:
//!
//! ```
//! use std::time::Duration;
//!
//! let runtime = fibra::Runtime::builder().virtual_clock().build().unwrap();
//! runtime.run(|| {
//!     let start = fibra::now();
//!     fibra::sleep(Duration::from_secs(12 * 3600));
//!     assert_eq!(fibra::now() - start, Duration::from_secs(12 * 3600));
//! });
//! ```
//!
//! On that clock computing takes no time; only waiting does. [`fibra::now`](crate::now) reads it;
//! std's `Instant::now` still reads real time.
//!
//! # Order
//!
//! A program on the virtual clock, without other threads, is deterministic. Fibers run in the order
//! of the run ring: a fiber that is spawned, is woken or yields goes to the end of the ring. Fibers
//! with the same deadline wake in the order in which they began to wait. So a test may compare a
//! whole trace with a literal, and a failure happens either in every run or in none. Only input
//! from outside is not deterministic: other threads, and randomness without a fixed seed, such as
//! the order of a std `HashMap` or the values of addresses.
//!
//! # Instead of sleeping
//!
//! A test that sleeps until the other fibers "should have arrived" is slow or wrong. Call
//! [`wait_all_blocked`], which waits until they have.

use crate::sched::core::scheduler::{CurrentFiber, current_fiber};
use crate::sched::tasklet::watchers;

/// Waits until every other fiber waits.
///
/// It returns when no other fiber can run, whether they wait for each other, for a deadline or for
/// another thread. A virtual clock does not jump before that. All timers that are due by then have
/// fired. If several fibers call this, the last caller returns first.
///
/// # Panics
///
/// Panics outside of a fiber.
///
/// # Examples
///
/// ```
/// use fibra::channel::Channel;
///
/// fibra::run(|| {
///     let channel = Channel::new();
///     let (a, b) = (channel.clone(), channel.clone());
///     fibra::spawn(move || a.send(1));
///     fibra::spawn(move || {
///         (0..100).for_each(|_| fibra::yield_now());
///         b.send(2)
///     });
///     fibra::testing::wait_all_blocked();
///     assert_eq!(channel.balance(), 2); // both have reached their `send`, and wait there
/// });
/// ```
#[track_caller]
pub fn wait_all_blocked() {
    let current = current_fiber();
    loop {
        if let Err(interrupt) = watchers::watch(current, false, || ()) {
            interrupt.into_panic();
        }
        if is_alone(current) {
            return;
        }
    }
}

/// Returns whether no other fiber can run. This may be false after a wake: a caller that is unwound
/// wakes all callers that began to wait after it.
fn is_alone(current: CurrentFiber) -> bool {
    current.sched.ring(|ring| ring.queued()) == 0
}
