//! The functions of the module: letting others run, asking who runs, callbacks.

use crate::sched::core::park;
use crate::sched::core::scheduler::here;
use crate::stackless::record::{Record, Tempval};
use crate::stackless::state::{ErrorHandler, ScheduleCallback, state};
use crate::stackless::switching;
use crate::stackless::tasklet::Tasklet;

/// Lets all others in the ring run, then goes on (S-103). Alone in the ring it returns at once,
/// after a look at timers and other threads (S-104).
///
/// # Panics
///
/// Panics outside of a fiber, with what is thrown at the caller, and with `switch_trap` where a
/// switch is [trapped](crate::stackless::switch_trap).
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
    let here = here();
    let state = state(&here.sched);
    state.watchdog.safe_point(here);
    let trapped = switching::is_trapped(here);
    if here.sched.is_ring_empty() {
        if !trapped {
            park::yield_now();
        }
        return;
    }
    assert!(!trapped, "switch_trap: `schedule` would switch");
    switching::announce(here, || here.sched.first_in_ring());
    here.sched.ring(|ring| ring.push_back(here.fiber, here.fiber.ticket.get()));
    state.watchdog.soft_point(here);
    park::give_way(here);
}

/// Leaves the ring: the caller is paused until somebody puts it back (S-105). Returns the tempval
/// that somebody has left for it meanwhile.
///
/// If nothing else can run, main and the callers of [`run`](crate::stackless::run) go on (S-106).
///
/// # Panics
///
/// Panics outside of a fiber, with what is thrown at the caller, with `switch_trap` where a switch
/// is [trapped](crate::stackless::switch_trap), and with the text of a deadlock if the caller is
/// the last that could run and main is blocked.
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
    let here = here();
    state(&here.sched).watchdog.safe_point(here);
    // Not kept: who owns the record decides whether the caller may wait to be put back.
    drop(Record::of(here.fiber.to_ref()).tempval.take());
    let goes = || switching::successor(here).filter(|next| next.ptr() != here.fiber);
    let trapped = switching::is_trapped(here) && goes().is_some();
    assert!(!trapped, "switch_trap: `schedule_remove` would switch");
    switching::announce(here, goes);
    switching::leave_ring(here, || {});
    Record::of(here.fiber.to_ref()).tempval.take()
}

/// The tasklet that runs now. Every fiber is one, also those that [`fibra::spawn`](crate::spawn)
/// has made (S-118).
///
/// # Panics
///
/// Panics outside of a fiber.
#[must_use]
#[track_caller]
pub fn getcurrent() -> Tasklet {
    Tasklet::current(here())
}

/// The main tasklet of this thread: the fiber that runs the closure of `fibra::run`.
///
/// # Panics
///
/// Panics outside of a fiber.
#[must_use]
#[track_caller]
pub fn getmain() -> Tasklet {
    let main = here().sched.main.get();
    Tasklet::of(main.expect("a scheduler that runs has a main fiber").to_ref())
}

/// How many tasklets of this thread can run, the current one included (S-009).
///
/// # Panics
///
/// Panics outside of a fiber.
#[must_use]
#[track_caller]
pub fn getruncount() -> usize {
    here().sched.ring(|ring| ring.queued()) + 1
}

/// What a thread's scheduler is doing (S-121).
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

/// See [`thread_info`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ThreadInfo {
    /// The main tasklet.
    pub main: Tasklet,
    /// The tasklet that runs now.
    pub current: Tasklet,
    /// How many can run, the current one included.
    pub run_count: usize,
}

/// Says what is called before each switch that this module makes, with the tasklet that leaves and
/// the one that comes (S-178, S-179). Returns what was called before.
///
/// It is called on the tasklet that leaves, for the switches of tasklets' ends, of [`schedule`],
/// [`run`](crate::stackless::run) and the like, and of this module's channels; not for those of
/// other parts of fibra. Switches of this module are refused while it runs (S-182). A panic in it is
/// reported and goes no further (S-181).
///
/// # Panics
///
/// Panics outside of a fiber.
#[track_caller]
#[allow(clippy::must_use_candidate, reason = "the old one is seldom of interest")]
pub fn set_schedule_callback(callback: Option<ScheduleCallback>) -> Option<ScheduleCallback> {
    state(&here().sched).schedule_callback.set(callback)
}

/// What [`set_schedule_callback`] has stored.
///
/// # Panics
///
/// Panics outside of a fiber.
#[must_use]
#[track_caller]
pub fn get_schedule_callback() -> Option<ScheduleCallback> {
    state(&here().sched).schedule_callback.get()
}

/// Says what is called when a tasklet ends with an error, on that tasklet (S-071). Returns what was
/// called before.
///
/// If it returns, the error is swallowed. If it panics, the error is that panic (S-072). Without a
/// handler the error goes to the innermost [`run`](crate::stackless::run), or to main.
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
    state(&here().sched).error_handler.set(handler)
}
