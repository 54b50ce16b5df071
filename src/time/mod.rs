//! Time: sleeping, time limits around any code that waits, ticks.
//!
//! All of it uses the scheduler's clock: the system's monotonic one, or, under
//! [`virtual_clock`](crate::RuntimeBuilder::virtual_clock), one that stands still while any fiber
//! can run and advances when all wait. [`testing`](crate::testing) describes that.
//!
//! ```
//! use std::time::Duration;
//! use fibra::time;
//!
//! fibra::run(|| {
//!     let slow = || {
//!         fibra::sleep(Duration::from_secs(3600));
//!         "done"
//!     };
//!     let result = time::timeout(Duration::from_millis(5), slow);
//!     assert!(result.is_err());
//! });
//! ```
//!
//! # Time limits
//!
//! [`timeout`] and [`deadline`] take a closure, and so limit *everything* in it: a wait of a
//! channel, a join, a nursery with all its fibers, a library that has no time limits of its own.
//! When the time is over the closure is unwound from the point where it waits, its destructors run,
//! and the call returns [`Elapsed`]. This is a cancellation like others:
//! [`cancellation`](crate::cancellation) has the rules, which are few:
//!
//! - It takes effect at waits. Code that never waits is not stopped.
//! - A wait that has completed takes precedence over the time limit, and so does a closure that
//!   returns: a value that was received is not lost.
//! - Limits are kept apart. Each call catches the end of its own time and never that of another,
//!   nor a kill.
//! - It persists. Code that catches the unwind, and waits again, is unwound again.
//! - It does not take effect inside a [`shield`](crate::shield).
//! - It belongs to the stack on which it was made. A generator that yields inside of its own time
//!   limit does not limit its caller; one that is resumed inside a limit is limited while it runs.
//!
//! # Precision
//!
//! Nothing wakes early. Time is counted in microseconds. How late a fiber wakes depends on the
//! operating system (Linux lets a thread oversleep by 50 µs unless it requests less, with
//! `PR_SET_TIMERSLACK`: a sleep of 50 µs takes about 120 µs, as in std) and on the other fibers
//! that can run: timers are polled after each batch of switches, which lasts at most half a
//! millisecond once its fibers are known to be slow, and fibers that are woken run after all that
//! can run already.

mod interval;
mod timeout;

pub use std::time::{Duration, Instant};

pub use crate::sched::core::park::{now, sleep, sleep_until};
pub use interval::{Interval, MissedTick, interval, interval_at};
pub use timeout::{Elapsed, deadline, move_on_after, timeout};
