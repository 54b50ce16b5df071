//! `park`, and what is built on it: how a fiber waits, sleeps and yields. The one door out is
//! [`leave`](mod@crate::sched::core::leave).
//!
//! ```text
//!   wait_until(done)
//!     |  attention? --(cold)--> kill or cancelled scope: unwind
//!     |                         deadline, deadlock: Err
//!     v
//!   leave: state, reason, location -> suspend .......... resumed by the run loop
//!     |
//!   done? -- yes --> Ok: a completed wait beats a kill and a timeout
//!     no --> again: a stray wake is never more than a spurious one
//! ```
//!
//! Invariants:
//! - Every wait re-checks its own condition: whoever wakes a fiber need not know what it waits for.
//! - What lies between user code and the switch is inlined, and all else is out of line.

use std::time::{Duration, Instant};

use crate::fiber::header::FiberPtr;
use crate::fiber::state::{OnDeadlock, State, WaitReason};
use crate::sched::core::deadline::{Deadline, deadline_after};
use crate::sched::core::interrupt::{self, Interrupt};
use crate::sched::core::leave::{self, leave, leave_for_real};
use crate::sched::core::limit::Limit;
use crate::sched::core::scheduler::{Here, Scheduler, here};

pub(crate) static PARK: WaitReason =
    WaitReason::new("parked", OnDeadlock::Panic).ended_by_outsiders();
static SLEEP: WaitReason = WaitReason::new("asleep", OnDeadlock::Panic);

/// Lets all other runnable fibers run, then goes on.
///
/// The fiber goes to the end of the ring (S-103). With no other runnable fiber this returns after
/// a look at timers and other threads. It is a kill point.
///
/// # Panics
///
/// Panics outside of a fiber.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     fibra::spawn(|| println!("world"));
///     println!("hello");
///     fibra::yield_now();
/// });
/// ```
#[inline(always)]
#[track_caller]
#[doc(alias = "schedule")]
pub fn yield_now() {
    let here = here();
    here.sched.ring(|ring| ring.push_back(here.fiber, here.fiber.ticket.get()));
    give_way(here);
}

/// Waits until somebody calls [`Fiber::unpark`](crate::Fiber::unpark) or
/// [`Unparker::unpark`](crate::Unparker::unpark) for this fiber.
///
/// As [`std::thread::park`]: an unpark that came earlier makes it return at once, and it may
/// return for no reason at all, so it belongs in a loop that checks a condition.
///
/// # Panics
///
/// Panics outside of a fiber, and with a report of all fibers if nothing can ever run again.
#[inline(always)]
#[track_caller]
pub fn park() {
    let here = here();
    if here.fiber.token.replace(false) {
        return spend(here);
    }
    if let Err(interrupt) = wait_until(here, &PARK, || here.fiber.token.replace(false)) {
        interrupt.into_panic();
    }
}

/// Like [`park`], but returns after `timeout` at the latest.
///
/// # Panics
///
/// Panics outside of a fiber.
#[track_caller]
#[doc(alias = "sleep")]
pub fn park_timeout(timeout: Duration) {
    park_within(Limit::After(timeout));
}

/// Like [`park`], but returns at `deadline` at the latest, by the scheduler's clock.
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
///     let deadline = fibra::now() + Duration::from_millis(1);
///     while fibra::now() < deadline {
///         fibra::park_deadline(deadline); // an unpark may make it return earlier
///     }
/// });
/// ```
#[track_caller]
pub fn park_deadline(deadline: Instant) {
    park_within(Limit::At(deadline));
}

#[track_caller]
fn park_within(limit: Limit) {
    let here = here();
    if here.fiber.token.replace(false) {
        return spend(here);
    }
    let _deadline = limit.micros(here).map(|at| Deadline::arm(here, at));
    match wait_until(here, &PARK, || here.fiber.token.replace(false)) {
        Ok(()) | Err(Interrupt::TimedOut) => {}
        Err(interrupt) => interrupt.into_panic(),
    }
}

/// Waits for `duration`, while other fibers run.
///
/// It never returns early. Time is counted in microseconds of the scheduler's clock, which is
/// virtual under [`RuntimeBuilder::virtual_clock`](crate::RuntimeBuilder::virtual_clock).
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
///     let naps: Vec<_> = [30, 10, 20]
///         .map(|ms| fibra::spawn(move || fibra::sleep(Duration::from_millis(ms))))
///         .into();
///     naps.into_iter().for_each(|nap| nap.join().unwrap()); // 30 ms in all, not 60
/// });
/// ```
#[track_caller]
pub fn sleep(duration: Duration) {
    let here = here();
    if duration.is_zero() {
        return yield_now();
    }
    sleep_to(here, deadline_after(here, duration));
}

/// Waits until `at`, by the scheduler's clock. If that is over already, this is a yield.
///
/// # Panics
///
/// Panics outside of a fiber.
#[track_caller]
pub fn sleep_until(at: Instant) {
    let here = here();
    if at <= here.sched.time.clock.now() {
        return yield_now();
    }
    sleep_to(here, here.sched.micros_at(at));
}

/// What the scheduler's clock shows.
///
/// Outside of `run` this is the system's clock.
///
/// # Panics
///
/// Panics outside of a fiber.
#[track_caller]
#[must_use]
pub fn now() -> Instant {
    here().sched.time.clock.now()
}

#[track_caller]
fn sleep_to(here: Here, at: u64) {
    let _deadline = Deadline::arm(here, at);
    match wait_until(here, &SLEEP, || false) {
        Ok(()) | Err(Interrupt::TimedOut) => {}
        Err(interrupt) => interrupt.into_panic(),
    }
}

/// Waits until `done` holds; whoever makes it hold then makes the fiber ready.
///
/// Unwinds if the fiber is killed, or a scope around the wait is cancelled, before `done` holds.
/// Whatever the wait has put into lists must be taken out by a destructor of the caller.
#[inline(always)]
#[track_caller]
pub(crate) fn wait_until(
    here: Here,
    reason: &'static WaitReason,
    done: impl Fn() -> bool,
) -> Result<(), Interrupt> {
    wait::<false>(here, reason, done)
}

/// As [`wait_until`], for what the world does: see [`WaitReason::real`].
#[inline(always)]
#[track_caller]
pub(crate) fn wait_for_events(
    here: Here,
    reason: &'static WaitReason,
    done: impl Fn() -> bool,
) -> Result<(), Interrupt> {
    wait::<true>(here, reason, done)
}

/// Which of the two it is, is known when it is compiled: a rendezvous does not look.
#[inline(always)]
#[track_caller]
fn wait<const REAL: bool>(
    here: Here,
    reason: &'static WaitReason,
    done: impl Fn() -> bool,
) -> Result<(), Interrupt> {
    loop {
        if !here.fiber.signals.get().is_none() {
            interrupt::before_wait(here, reason)?;
        }
        if REAL {
            leave_for_real(here, reason);
        } else {
            leave(here, reason);
        }
        if done() {
            if !here.fiber.signals.get().is_none() {
                interrupt::wait_completed(here.fiber);
            }
            return Ok(());
        }
    }
}

/// Runs `fiber`, which is in no queue yet, before anything else, and the caller directly after it.
///
/// The caller's turn goes on then, and with it its budget: one that does this in a loop lets others run.
#[inline(always)]
#[track_caller]
pub(crate) fn run_first(here: Here, fiber: FiberPtr) {
    here.sched.ring(|ring| {
        ring.push_front(here.fiber, here.fiber.ticket.get());
        ring.push_front(fiber, fiber.ticket.get());
    });
    let left = here.sched.budget.get();
    give_way(here);
    here.sched.budget.set(left);
    spend(here);
}

/// Runs `partner`, which waits, before anything else, and the caller after everything else. Not a
/// kill point.
#[inline(always)]
pub(crate) fn hand_over(here: Here, partner: FiberPtr) {
    here.sched.make_ready_next(partner);
    leave::go_last(here);
}

/// Leaves the thread to others; the caller is in the ring. A kill point.
#[inline(always)]
pub(crate) fn give_way(here: Here) {
    leave::suspend(here);
    if !here.fiber.signals.get().is_none() {
        interrupt::at_yield(here);
    }
}

/// Counts an operation that did not have to wait; when a fiber has done many of them in one turn
/// it gives way. Without that a fiber with a fast partner would never let others run.
#[inline(always)]
#[track_caller]
pub(crate) fn spend(here: Here) {
    let left = here.sched.budget.get().wrapping_sub(1);
    here.sched.budget.set(left);
    if left == 0 {
        budget_spent();
    }
}

/// As [`spend`], for what takes as long as `n` operations, or much longer: when it gives way the run loop looks at
/// timers and events at once, and not after the rest of a batch.
#[cfg(feature = "net")]
#[track_caller]
pub(crate) fn spend_many(here: Here, n: u32) {
    match here.sched.budget.get().checked_sub(n) {
        None | Some(0) => {
            here.sched.batch_mask.set(0);
            budget_spent();
        }
        Some(left) => here.sched.budget.set(left),
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn budget_spent() {
    yield_now();
}

impl Scheduler {
    /// Lets `fiber`'s present or next `park` return. Other waits are not disturbed.
    #[inline]
    pub(crate) fn unpark(&self, fiber: FiberPtr) {
        fiber.token.set(true);
        if fiber.state.get() == State::Parked && std::ptr::eq(fiber.reason.get(), &PARK) {
            self.make_ready(fiber);
        }
    }
}
