//! Time: sleeping, time limits around any code that waits, ticks.
//!
//! All of it goes by the scheduler's clock: the system's monotonic one, or, under
//! [`virtual_clock`](crate::runtime::Builder::virtual_clock), one that stands while any fiber can
//! run and jumps when all wait. [`testing`](crate::testing) says more about that.
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
//! [`timeout`] and [`deadline`] take a closure, and so bound *everything* in it: a wait of a channel,
//! a join, a nursery with all its fibers, a library that knows nothing of time limits. When the time
//! is over the closure is unwound from where it waits, its destructors run, and the call returns
//! [`Elapsed`]. This is a cancellation like others: [`cancellation`](crate::cancellation) has the
//! rules, which are few:
//!
//! - It is met at waits. Code that never waits is not stopped.
//! - A wait that has completed beats the time limit, and so does a closure that returns: what was
//!   received is not lost.
//! - Limits are told apart. Each call catches the end of its own time and never that of another, nor
//!   a kill.
//! - It lasts. Code that catches the unwind, and waits again, is unwound again.
//! - It does not reach into a [`shield`](crate::shield).
//! - It belongs to the stack on which it was made. A generator that yields inside of its own time
//!   limit does not bound its caller; one that is resumed inside a limit is bounded while it runs.
//!
//! # How exact it is
//!
//! Nothing wakes early. Time is counted in microseconds. How late a fiber wakes depends on the
//! operating system (Linux lets a thread oversleep by 50 µs unless it asked for less, with
//! `PR_SET_TIMERSLACK`: so a sleep of 50 µs takes about 120, as std's does) and on what else there is to run:
//! timers are looked at after each batch of fibers, which lasts at most half a millisecond once its
//! fibers are known to be slow, and those that are woken run after all that can run already.

mod interval;
mod timeout;

pub use std::time::{Duration, Instant};

pub use crate::sched::core::park::{now, sleep, sleep_until};
pub use interval::{Interval, MissedTick, interval, interval_at};
pub use timeout::{Elapsed, deadline, move_on_after, timeout};
