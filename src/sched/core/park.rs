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
use crate::sched::core::leave::{self, leave, leave_for_external_wait};
use crate::sched::core::limit::Limit;
use crate::sched::core::scheduler::{CurrentFiber, Scheduler, current_fiber};

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
    let current = current_fiber();
    current.sched.ring(|ring| ring.push_back(current.fiber, current.fiber.ticket.get()));
    give_way(current);
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
    let current = current_fiber();
    if current.fiber.token.replace(false) {
        return spend(current);
    }
    if let Err(interrupt) = wait_until(current, &PARK, || current.fiber.token.replace(false)) {
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
    let current = current_fiber();
    if current.fiber.token.replace(false) {
        return spend(current);
    }
    let _deadline = limit.micros(current).map(|at| Deadline::arm(current, at));
    match wait_until(current, &PARK, || current.fiber.token.replace(false)) {
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
    let current = current_fiber();
    if duration.is_zero() {
        return yield_now();
    }
    sleep_to(current, deadline_after(current, duration));
}

/// Waits until `at`, by the scheduler's clock. If that is over already, this is a yield.
///
/// # Panics
///
/// Panics outside of a fiber.
#[track_caller]
pub fn sleep_until(at: Instant) {
    let current = current_fiber();
    if at <= current.sched.time.clock.now() {
        return yield_now();
    }
    sleep_to(current, current.sched.micros_at(at));
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
    current_fiber().sched.time.clock.now()
}

#[track_caller]
fn sleep_to(current: CurrentFiber, at: u64) {
    let _deadline = Deadline::arm(current, at);
    match wait_until(current, &SLEEP, || false) {
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
    current: CurrentFiber,
    reason: &'static WaitReason,
    done: impl Fn() -> bool,
) -> Result<(), Interrupt> {
    wait::<false>(current, reason, done)
}

/// As [`wait_until`], for what the world does: see [`WaitReason::real`].
#[inline(always)]
#[track_caller]
pub(crate) fn wait_for_events(
    current: CurrentFiber,
    reason: &'static WaitReason,
    done: impl Fn() -> bool,
) -> Result<(), Interrupt> {
    wait::<true>(current, reason, done)
}

/// Which of the two it is, is known when it is compiled: a rendezvous does not look.
#[inline(always)]
#[track_caller]
fn wait<const EXTERNAL: bool>(
    current: CurrentFiber,
    reason: &'static WaitReason,
    done: impl Fn() -> bool,
) -> Result<(), Interrupt> {
    loop {
        if !current.fiber.signals.get().is_none() {
            interrupt::before_wait(current, reason)?;
        }
        if EXTERNAL {
            leave_for_external_wait(current, reason);
        } else {
            leave(current, reason);
        }
        if done() {
            if !current.fiber.signals.get().is_none() {
                interrupt::wait_completed(current.fiber);
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
pub(crate) fn run_first(current: CurrentFiber, fiber: FiberPtr) {
    current.sched.ring(|ring| {
        ring.push_front(current.fiber, current.fiber.ticket.get());
        ring.push_front(fiber, fiber.ticket.get());
    });
    let left = current.sched.budget.get();
    give_way(current);
    current.sched.budget.set(left);
    spend(current);
}

/// Runs `partner`, which waits, before anything else, and the caller after everything else. Not a
/// kill point.
#[inline(always)]
pub(crate) fn hand_over(current: CurrentFiber, partner: FiberPtr) {
    current.sched.make_ready_next(partner);
    leave::go_last(current);
}

/// Leaves the thread to others; the caller is in the ring. A kill point.
#[inline(always)]
pub(crate) fn give_way(current: CurrentFiber) {
    leave::suspend(current);
    if !current.fiber.signals.get().is_none() {
        interrupt::at_yield(current);
    }
}

/// Counts an operation that did not have to wait; when a fiber has done many of them in one turn
/// it gives way. Without that a fiber with a fast partner would never let others run.
#[inline(always)]
#[track_caller]
pub(crate) fn spend(current: CurrentFiber) {
    let left = current.sched.budget.get().wrapping_sub(1);
    current.sched.budget.set(left);
    if left == 0 {
        budget_spent();
    }
}

/// As [`spend`], for what takes as long as `n` operations, or much longer: when it gives way the run loop looks at
/// timers and events at once, and not after the rest of a batch.
#[cfg(feature = "net")]
#[track_caller]
pub(crate) fn spend_many(current: CurrentFiber, n: u32) {
    match current.sched.budget.get().checked_sub(n) {
        None | Some(0) => {
            current.sched.batch_mask.set(0);
            budget_spent();
        }
        Some(left) => current.sched.budget.set(left),
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
