//! The functions of the module: `schedule` and its variants, queries, and callbacks.

use crate::sched::core::park;
use crate::sched::core::scheduler::current_fiber;
use crate::stackless::record::{Record, Tempval};
use crate::stackless::state::{ErrorHandler, ScheduleCallback, state};
use crate::stackless::switching;
use crate::stackless::tasklet::Tasklet;

/// Lets all other tasklets in the run ring run, then continues. If there are none, it polls timers
/// and other threads and returns.
///
/// # Panics
///
/// Panics outside of a fiber, with the payload that is thrown into the caller, and with
/// `switch_trap` where a switch is [trapped](crate::stackless::switch_trap).
///
/// # Examples
///
/// ```
/// use fibra::stackless;
///
/// fibra::run(|| {
///     stackless::spawn(|| println!("A"));
///     stackless::spawn(|| println!("B"));
///     stackless::schedule();
///     println!("main");
/// });
/// ```
#[track_caller]
pub fn schedule() {
    let current = current_fiber();
    let state = state(&current.sched);
    state.time_slice.safe_point(current);
    let trapped = switching::is_trapped(current);
    if current.sched.is_ring_empty() {
        if !trapped {
            park::yield_now();
        }
        return;
    }
    assert!(!trapped, "switch_trap: `schedule` would switch");
    switching::announce(current, || current.sched.first_in_ring());
    current.sched.ring(|ring| ring.push_back(current.fiber, current.fiber.ticket.get()));
    state.time_slice.soft_point(current);
    park::give_way(current);
}

/// Removes the caller from the run ring: it is paused until it is put back. Returns the tempval
/// that another tasklet has set meanwhile.
///
/// If nothing else can run, main and the callers of [`run`](crate::stackless::run) continue.
///
/// # Panics
///
/// Panics outside of a fiber, with the payload that is thrown into the caller, with `switch_trap`
/// where a switch is [trapped](crate::stackless::switch_trap), and with the report of a deadlock if
/// the caller is the last that could run and main is blocked.
///
/// # Examples
///
/// ```
/// use fibra::stackless;
///
/// fibra::run(|| {
///     let waiter = stackless::spawn(|| {
///         let answer = stackless::schedule_remove().unwrap();
///         println!("{}", answer.downcast::<u32>().unwrap());
///     });
///     stackless::run();
///     waiter.set_tempval(Some(Box::new(42u32)));
///     waiter.run().unwrap();
/// });
/// ```
#[track_caller]
#[allow(clippy::must_use_candidate, reason = "most callers only want to be paused")]
pub fn schedule_remove() -> Tempval {
    let current = current_fiber();
    state(&current.sched).time_slice.safe_point(current);
    // The record is not kept: its owners determine whether the caller may wait to be put back.
    drop(Record::of(current.fiber.to_ref()).tempval.take());
    let goes = || switching::successor(current).filter(|next| next.ptr() != current.fiber);
    let trapped = switching::is_trapped(current) && goes().is_some();
    assert!(!trapped, "switch_trap: `schedule_remove` would switch");
    switching::announce(current, goes);
    switching::leave_ring(current, || {});
    Record::of(current.fiber.to_ref()).tempval.take()
}

/// Returns the current tasklet. Every fiber is one, including those that
/// [`fibra::spawn`](crate::spawn) has made.
///
/// # Panics
///
/// Panics outside of a fiber.
///
/// # Examples
///
/// ```
/// use fibra::stackless;
///
/// fibra::run(|| {
///     let main = stackless::getcurrent();
///     assert!(main.is_main());
///     let tasklet = stackless::spawn(move || assert_ne!(stackless::getcurrent(), main));
///     tasklet.run().unwrap();
/// });
/// ```
#[must_use]
#[track_caller]
pub fn getcurrent() -> Tasklet {
    Tasklet::current(current_fiber())
}

/// Returns the main tasklet of this thread: the fiber that runs the closure of `fibra::run`.
///
/// # Panics
///
/// Panics outside of a fiber.
///
/// # Examples
///
/// ```
/// use fibra::stackless;
///
/// fibra::run(|| {
///     let main = stackless::getmain();
///     stackless::spawn(move || assert_eq!(stackless::getmain(), main)).run().unwrap();
/// });
/// ```
#[must_use]
#[track_caller]
pub fn getmain() -> Tasklet {
    let main = current_fiber().sched.main.get();
    Tasklet::of(main.expect("a scheduler that runs has a main fiber").to_ref())
}

/// Returns the number of tasklets of this thread that can run, including the current one.
///
/// # Panics
///
/// Panics outside of a fiber.
///
/// # Examples
///
/// ```
/// use fibra::stackless;
///
/// fibra::run(|| {
///     stackless::spawn(|| ());
///     assert_eq!(stackless::getruncount(), 2); // the caller counts as well
///     stackless::run();
///     assert_eq!(stackless::getruncount(), 1);
/// });
/// ```
#[must_use]
#[track_caller]
pub fn getruncount() -> usize {
    current_fiber().sched.ring(|ring| ring.queued()) + 1
}

/// Returns the state of this thread's scheduler.
///
/// # Panics
///
/// Panics outside of a fiber.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let info = fibra::stackless::thread_info();
///     assert_eq!((info.current, info.run_count), (info.main, 1));
/// });
/// ```
#[must_use]
#[track_caller]
pub fn thread_info() -> ThreadInfo {
    ThreadInfo { main: getmain(), current: getcurrent(), run_count: getruncount() }
}

/// The state of a thread's scheduler: see [`thread_info`].
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let info = fibra::stackless::thread_info();
///     assert!(info.current.is_main());
///     assert_eq!(info.run_count, 1);
/// });
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ThreadInfo {
    /// The main tasklet.
    pub main: Tasklet,
    /// The current tasklet.
    pub current: Tasklet,
    /// The number of tasklets that can run, including the current one.
    pub run_count: usize,
}

/// Sets the function that is called before each switch that this module makes, with the tasklet
/// that leaves and the one that comes. Returns the previous function.
///
/// It is called on the tasklet that leaves, for switches at the ends of tasklets, for those of
/// [`schedule`], [`run`](crate::stackless::run) and similar calls, and for those of this module's
/// channels; not for those of other parts of fibra. Switches of this module are refused while it
/// runs. A panic in it is reported and not passed on.
///
/// # Panics
///
/// Panics outside of a fiber.
///
/// # Examples
///
/// ```
/// use std::{cell::Cell, rc::Rc};
/// use fibra::stackless;
///
/// fibra::run(|| {
///     let count = Rc::new(Cell::new(0));
///     let seen = count.clone();
///     stackless::set_schedule_callback(Some(Rc::new(move |_, _| seen.set(seen.get() + 1))));
///     stackless::spawn(|| ());
///     stackless::run();
///     assert_eq!(count.get(), 2); // to the tasklet, and back
/// });
/// ```
#[track_caller]
#[allow(clippy::must_use_candidate, reason = "the old one is seldom of interest")]
pub fn set_schedule_callback(callback: Option<ScheduleCallback>) -> Option<ScheduleCallback> {
    state(&current_fiber().sched).schedule_callback.set(callback)
}

/// Returns the function that [`set_schedule_callback`] has set.
///
/// # Panics
///
/// Panics outside of a fiber.
#[must_use]
#[track_caller]
pub fn get_schedule_callback() -> Option<ScheduleCallback> {
    state(&current_fiber().sched).schedule_callback.get()
}

/// Sets the function that is called when a tasklet ends with an error, on that tasklet. Returns the
/// previous function.
///
/// If it returns, the error is dropped. If it panics, the error is that panic. Without a handler
/// the error goes to the innermost [`run`](crate::stackless::run), or to main.
///
/// # Panics
///
/// Panics outside of a fiber.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
///
/// use fibra::stackless;
///
/// fibra::run(|| {
///     stackless::set_error_handler(Some(Rc::new(|tasklet, error| {
///         println!("{tasklet:?}: {:?}", error.downcast_ref::<&str>());
///     })));
///     stackless::spawn(|| std::panic::resume_unwind(Box::new("no more cheese")));
///     stackless::run();
/// });
/// ```
#[track_caller]
#[allow(clippy::must_use_candidate, reason = "the old one is seldom of interest")]
pub fn set_error_handler(handler: Option<ErrorHandler>) -> Option<ErrorHandler> {
    state(&current_fiber().sched).error_handler.set(handler)
}
