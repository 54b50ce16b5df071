//! Help for tests of concurrent programs.
//!
//! # Time
//!
//! Under a [virtual clock](crate::runtime::Builder::virtual_clock) time stands while any fiber can
//! run. When all wait it jumps to the next moment for which one waits. So a program of twelve hours
//! is tested in milliseconds, to the microsecond:
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
//! Computing takes no time on that clock, only waiting does. [`fibra::now`](crate::now) shows it;
//! `Instant::now` of std knows nothing of it.
//!
//! # Order
//!
//! A program on the virtual clock, without other threads, is deterministic. Fibers run in the order
//! of the ring: a fiber that is spawned, woken or yields goes to its end. Those who wake at the same
//! moment wake in the order in which they began to wait for it. Hence a test may compare a whole
//! trace with a literal, and a failure that was seen once is seen each time. What is not
//! deterministic is what comes from outside: other threads, and randomness that was not seeded
//! (the order of a std `HashMap`, addresses).
//!
//! # Instead of sleeping
//!
//! A test that sleeps until the others "should have got there" is slow or wrong.
//! [`wait_all_blocked`] waits until they have.

use crate::sched::core::scheduler::{Here, here};
use crate::sched::tasklet::watchers;

/// Waits until every other fiber waits.
///
/// It returns when no other fiber can run, be it that they wait for each other, for a moment in the
/// future or for another thread. Time does not jump before: a virtual clock stands still, and what is
/// due now has happened. If several fibers call this, the last that did returns first.
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
///     assert_eq!(channel.balance(), 2); // both have come to their `send`, and wait there
/// });
/// ```
#[track_caller]
pub fn wait_all_blocked() {
    let here = here();
    loop {
        if let Err(interrupt) = watchers::watch(here, false, || ()) {
            interrupt.into_panic();
        }
        if is_alone(here) {
            return;
        }
    }
}

/// Whether no other fiber can run. (Those who wait for the same are woken together if the one that
/// began last is unwound.)
fn is_alone(here: Here) -> bool {
    here.sched.ring(|ring| ring.queued()) == 0
}
