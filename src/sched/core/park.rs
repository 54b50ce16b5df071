//! The waits of a fiber: `park`, and the sleeps and yields on the same base. The one door out is
//! [`leave`](mod@crate::sched::core::leave).
//!
//! ```text
//!   wait_until(done)
//!     |  signals? --(cold)--> kill or cancelled scope, pending throw: unwind
//!     |                       deadline, deadlock: Err
//!     v
//!   leave: state, reason, location -> suspend .......... resumed by the run loop
//!     |
//!   done? -- yes --> Ok: a completed wait takes precedence over a kill and a timeout
//!     no --> again: the wake was spurious
//! ```
//!
//! Invariants:
//! - Every wait re-checks its own condition: the code that wakes a fiber need not know what it
//!   waits for.
//! - The functions between user code and the switch are inlined, and all other code is out of line.

use std::time::{Duration, Instant};

use crate::fiber::extra::Extra;
use crate::fiber::header::FiberPtr;
use crate::fiber::state::{OnDeadlock, Signals, State, WaitReason};
use crate::sched::core::carry;
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
/// The fiber goes to the end of the run ring. If no other fiber is runnable, this returns after one
/// poll of timers, events and messages from other threads. It is a kill point.
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
    if current.fiber.signals.get().has(Signals::SLOW_WAY_OUT) {
        return yield_with_contexts(current);
    }
    current.sched.ring(|ring| ring.push_back(current.fiber, current.fiber.ticket.get()));
    leave::suspend(current);
    if !current.fiber.signals.get().is_none() {
        interrupt::at_yield(current);
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn yield_with_contexts(current: CurrentFiber) {
    carry::refuse_at_door(current, "to let others run");
    current.sched.ring(|ring| ring.push_back(current.fiber, current.fiber.ticket.get()));
    give_way(current);
}

/// Waits until [`Fiber::unpark`](crate::Fiber::unpark) or
/// [`Unparker::unpark`](crate::Unparker::unpark) is called for this fiber.
///
/// Like [`std::thread::park`], it returns immediately if the unpark came earlier, and it may return
/// spuriously, so it belongs in a loop that checks a condition.
///
/// # Panics
///
/// Panics outside of a fiber, and with a report of all fibers in a deadlock, where no fiber can
/// ever run again.
#[inline(always)]
#[track_caller]
pub fn park() {
    let current = current_fiber();
    if !current.fiber.token.is_clear() && is_unparked(current) {
        return spend(current);
    }
    if let Err(interrupt) = wait_until(current, &PARK, || current.fiber.token.take()) {
        interrupt.into_panic();
    }
}

/// Waits like [`park`], but for no longer than `timeout`.
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
///     let start = fibra::now();
///     fibra::park_timeout(Duration::from_millis(2)); // nothing unparks it
///     assert!(fibra::now() - start >= Duration::from_millis(2));
/// });
/// ```
#[track_caller]
#[doc(alias = "sleep")]
pub fn park_timeout(timeout: Duration) {
    park_within(Limit::After(timeout));
}

/// Waits like [`park`], but no longer than until `deadline`, by the scheduler's clock.
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
    if !current.fiber.token.is_clear() && is_unparked(current) {
        return spend(current);
    }
    let _deadline = limit.micros(current).map(|at| Deadline::arm(current, at));
    match wait_until(current, &PARK, || current.fiber.token.take()) {
        Ok(()) | Err(Interrupt::TimedOut) => {}
        Err(interrupt) => interrupt.into_panic(),
    }
}

/// Returns whether the current fiber was unparked. If not, and if other threads may unpark it,
/// lists it among the fibers that they may reach.
#[inline(always)]
fn is_unparked(current: CurrentFiber) -> bool {
    if current.fiber.token.take() {
        return true;
    }
    list_park(current);
    false
}

#[cold]
#[inline(never)]
fn list_park(current: CurrentFiber) {
    let CurrentFiber { fiber, sched } = current;
    fiber.token.note_listed();
    if fiber.peek_extra(Extra::is_reachable) == Some(true) {
        sched.witnesses.borrow_mut().note_reachable(fiber, &sched.table.borrow());
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

/// Waits until `at`, by the scheduler's clock. If `at` has passed already, this is a yield.
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
///     let until = fibra::now() + Duration::from_millis(2);
///     fibra::sleep_until(until);
///     assert!(fibra::now() >= until);
/// });
/// ```
#[track_caller]
pub fn sleep_until(at: Instant) {
    let current = current_fiber();
    if at <= current.sched.time.clock.now() {
        return yield_now();
    }
    sleep_to(current, current.sched.micros_at(at));
}

/// Returns the time of the scheduler's clock.
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
///     let start = fibra::now();
///     fibra::sleep(Duration::from_millis(1));
///     assert!(fibra::now() - start >= Duration::from_millis(1));
/// });
/// ```
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

/// Waits until `done` returns true. The code that makes it return true must then make the fiber
/// ready.
///
/// Unwinds if the fiber is killed, or a scope around the wait is cancelled, before `done` returns
/// true. A destructor of the caller must take out all nodes that it has put into lists for the
/// wait.
#[inline(always)]
#[track_caller]
pub(crate) fn wait_until(
    current: CurrentFiber,
    reason: &'static WaitReason,
    done: impl Fn() -> bool,
) -> Result<(), Interrupt> {
    wait::<false>(current, reason, done)
}

/// Like [`wait_until`], for an external wait: see [`WaitReason::external`].
#[inline(always)]
#[track_caller]
pub(crate) fn wait_for_events(
    current: CurrentFiber,
    reason: &'static WaitReason,
    done: impl Fn() -> bool,
) -> Result<(), Interrupt> {
    wait::<true>(current, reason, done)
}

/// Waits until `done` returns true. Whether the wait is external is a constant, so that other waits
/// do not check for it.
#[inline(always)]
#[track_caller]
fn wait<const EXTERNAL: bool>(
    current: CurrentFiber,
    reason: &'static WaitReason,
    done: impl Fn() -> bool,
) -> Result<(), Interrupt> {
    loop {
        if !current.fiber.signals.get().is_none()
            && interrupt::before_wait(current, reason)?
            && done()
        {
            interrupt::wait_completed(current.fiber);
            return Ok(());
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

/// Runs `fiber`, which is in no queue so far, before all others, and the caller directly after it.
///
/// The caller keeps the budget that it had before, so that a loop of such calls lets others run.
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

/// Runs `partner`, which waits, before all others, and the caller after all others. This is not a
/// kill point.
#[inline(always)]
pub(crate) fn hand_over(current: CurrentFiber, partner: FiberPtr) {
    current.sched.make_ready_next(partner);
    leave::go_last(current);
}

/// Lets others run. The caller has put its fiber into the ring. This is a kill point.
#[inline(always)]
pub(crate) fn give_way(current: CurrentFiber) {
    leave::stand_aside(current);
    if !current.fiber.signals.get().is_none() {
        interrupt::at_yield(current);
    }
}

/// Counts an operation that did not have to wait, and yields when the fiber has done many of them
/// in one turn. Otherwise a fiber with a fast partner would never let others run.
#[inline(always)]
#[track_caller]
pub(crate) fn spend(current: CurrentFiber) {
    let left = current.sched.budget.get().wrapping_sub(1);
    current.sched.budget.set(left);
    if left == 0 {
        budget_spent();
    }
}

/// Like [`spend`], for an operation that takes as long as `n` operations, or much longer. If it
/// yields, the run loop looks at timers and events immediately, and not after the rest of the
/// batch.
#[track_caller]
pub(crate) fn spend_many(current: CurrentFiber, n: u32) {
    match current.sched.budget.get().checked_sub(n) {
        None | Some(0) => {
            current.sched.set_batch_mask(0);
            budget_spent();
        }
        Some(left) => current.sched.budget.set(left),
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn budget_spent() {
    let current = current_fiber();
    if carry::is_at_door(current) {
        // This code must not wait. The next operation after it yields.
        current.sched.budget.set(1);
        return;
    }
    yield_now();
}

impl Scheduler {
    /// Lets the present or next `park` of `fiber` return. Other waits are not woken.
    #[inline]
    pub(crate) fn unpark(&self, fiber: FiberPtr) {
        fiber.token.set();
        if fiber.state.get() == State::Parked && std::ptr::eq(fiber.reason.get(), &PARK) {
            self.make_ready(fiber);
        }
    }
}
