//! Fibers as tasks of futures: the waker of a fiber, and the wait that it ends.
//!
//! ```text
//!   data pointer of a waker     63        48 47            24 23             0
//!                              |   place    |   generation   |      index     |
//! ```
//!
//! The data pointer points to nothing: cloning a waker copies the bits, and dropping one does
//! nothing. Waking looks up the fiber: on its own thread in the table; from elsewhere, by mail to
//! the scheduler that has that place (see `places`), where undelivered wakes of one task merge. If
//! a number is too large for its bits, or pointers have 32 bits, the waker holds an `Arc` instead.
//!
//! Invariants:
//! - Only 24 bits of a generation are compared, to which the number of the scheduler is added. So a
//!   wake may reach another fiber than the intended one, also of a later scheduler at the same
//!   place, in one case out of millions. That fiber gets a spurious wake, which does no harm.
//! - Wakers of this file run no user code when they wake, so the run loop may call them. All other
//!   wakers are called by a fiber.
//! - A wait for a future is an external wait and never a deadlock, because any thread may hold a
//!   copy of its waker.

#![allow(unsafe_code, reason = "makes wakers")]

use std::panic::{self, AssertUnwindSafe};
use std::ptr;
use std::sync::Arc;
#[cfg(target_pointer_width = "64")]
use std::task::{RawWaker, RawWakerVTable};
use std::task::{Wake, Waker};

use crate::collections::slot_table::Key;
use crate::fiber::header::FiberPtr;
use crate::fiber::prefetch;
use crate::fiber::report::report_lost;
use crate::fiber::state::{OnDeadlock, State, WaitReason};
use crate::sched::core::caller::Call;
use crate::sched::core::interrupt::{self, Interrupt};
use crate::sched::core::park::{wait_for_events, yield_now};
use crate::sched::core::scheduler::{CurrentFiber, Scheduler, scheduler};
use crate::sched::shared::mailbox::{Mailbox, TaskId};
use crate::sched::shared::places;

pub(crate) static PENDING: WaitReason =
    WaitReason::new("waiting for a future", OnDeadlock::Panic).ended_externally().ended_by_wakers();
/// The reason for calls that return an error, and so end even where a kill cannot unwind.
#[cfg(feature = "http")]
pub(crate) static PENDING_OR_ERROR: WaitReason =
    WaitReason::new("waiting for a future", OnDeadlock::Fail).ended_externally().ended_by_wakers();

const GENERATION_BITS: u32 = 24;
const GENERATION: u32 = (1 << GENERATION_BITS) - 1;

/// Returns the task id of the fiber of `key` of the scheduler with the number `id`.
fn task_of(id: u32, key: Key) -> TaskId {
    // Schedulers that have the same place one after another start with the same generations: the
    // number, mixed, keeps them apart.
    let mixed = id.wrapping_mul(0x9e37_79b1) >> (u32::BITS - GENERATION_BITS);
    TaskId { index: key.index, generation: key.generation.wrapping_add(mixed) & GENERATION }
}

/// Returns a waker of the current fiber.
pub(crate) fn waker(current: CurrentFiber) -> Waker {
    let CurrentFiber { fiber, sched } = current;
    let task = task_of(sched.id, fiber.key.get());
    #[cfg(target_pointer_width = "64")]
    if let Some(data) = pack(sched.place, task) {
        // SAFETY: the functions of `PACKED` treat the data as bits and dereference no pointer, so
        // they are thread-safe and the waker stays valid forever. They uphold the contract of
        // `RawWaker`: a clone has the same data and table, and a drop has nothing to release.
        return unsafe { Waker::new(ptr::without_provenance(data), &PACKED) };
    }
    Waker::from(Arc::new(Unpacked { mailbox: sched.mailbox.clone(), task }))
}

/// Waits until the current fiber is woken as a task. Only yields if it was woken since the last
/// call of [`begin_poll`]. If the wait for `reason` can fail, returns an error if the fiber is
/// killed and nothing can unwind.
#[track_caller]
pub(crate) fn wait_for_wake(
    current: CurrentFiber,
    reason: &'static WaitReason,
) -> Result<(), Interrupt> {
    debug_assert!(reason.by_waker && reason.external, "its waker would not reach it");
    if current.fiber.woken.get() {
        // It was woken while it ran, perhaps by itself: other fibers run first.
        yield_now();
        let may_fail = reason.on_deadlock == OnDeadlock::Fail;
        let is_asked = may_fail && !current.fiber.signals.get().is_none();
        return if is_asked { interrupt::react(current, reason) } else { Ok(()) };
    }
    wait_for_events(current, reason, || current.fiber.woken.get())
}

/// Returns whether `fiber` waits to be woken as a task.
fn is_pending(fiber: FiberPtr) -> bool {
    fiber.state.get() == State::Parked && fiber.reason.get().by_waker
}

/// Begins a poll of a future by the current fiber: earlier wakes no longer count.
pub(crate) fn begin_poll(current: CurrentFiber) {
    current.fiber.woken.set(false);
}

/// Ends the polls of a future by the current fiber. They may have consumed a wake that was meant
/// for an outer future of the same fiber, so the fiber counts as woken and polls that one again.
pub(crate) fn end_polls(current: CurrentFiber) {
    current.fiber.woken.set(true);
}

impl Scheduler {
    /// Wakes the fiber of `task`, if it still exists.
    pub(crate) fn wake_task(&self, task: TaskId) {
        let fiber = {
            let table = self.table.borrow();
            let key = table.key_at(task.index).filter(|&key| task_of(self.id, key) == task);
            key.and_then(|key| table.get(key).copied())
        };
        if let Some(fiber) = fiber {
            self.wake_as_task(fiber);
        }
    }

    fn wake_as_task(&self, fiber: FiberPtr) {
        fiber.woken.set(true);
        if is_pending(fiber) {
            // Its stack is cold if an event has woken it.
            prefetch::stack(fiber);
            self.make_ready(fiber);
        }
    }

    /// Wakes the fiber with that index in the table. For a wake that was meant for several fibers
    /// which have had the index one after another.
    pub(crate) fn wake_task_at(&self, index: u32) {
        let fiber = {
            let table = self.table.borrow();
            table.key_at(index).and_then(|key| table.get(key).copied())
        };
        if let Some(fiber) = fiber {
            self.wake_as_task(fiber);
        }
    }

    /// Drops `waker`. May be called in the run loop and while internal state is borrowed: a waker
    /// of unknown origin is dropped by a fiber.
    pub(crate) fn drop_waker(&self, waker: Waker) {
        if !is_own(&waker) {
            self.make_call(Call::Drop(waker));
        }
    }

    /// Calls `waker`. May be called in the run loop and while internal state is borrowed: a waker
    /// of unknown origin is called by a fiber.
    pub(crate) fn wake_by(&self, waker: Waker) {
        if is_own(&waker) {
            waker.wake();
        } else {
            self.make_call(Call::Wake(waker));
        }
    }
}

/// Calls `waker`, of unknown origin, with no internal state borrowed or locked.
///
/// On the thread of a scheduler, in a fiber or in its run loop, a fiber calls it: the caller may be
/// in the middle of a `drop`, and a waker may panic or wait. On any other thread it is called here,
/// and a panic of it is reported, so that the callers, which may have several to call, lose none.
pub(crate) fn call_waker(waker: Waker) {
    if let Some(sched) = scheduler() {
        return sched.wake_by(waker);
    }
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| waker.wake())) {
        report_lost("a waker panicked", payload);
    }
}

// ---- The waker of bits -------------------------------------------------------------------------

#[cfg(target_pointer_width = "64")]
static PACKED: RawWakerVTable = RawWakerVTable::new(
    |data| RawWaker::new(data, &PACKED),
    |data| wake_packed(data.addr()),
    |data| wake_packed(data.addr()),
    |_| (),
);

#[cfg(target_pointer_width = "64")]
fn pack(place: Option<u16>, task: TaskId) -> Option<usize> {
    let place = usize::from(place?);
    let (generation, index) = (task.generation as usize, task.index as usize);
    (index < 1 << 24).then_some(place << 48 | generation << 24 | index)
}

#[cfg(target_pointer_width = "64")]
#[allow(clippy::cast_possible_truncation, reason = "takes the bits apart")]
fn wake_packed(data: usize) {
    let (index, generation) = (data as u32 & 0xff_ffff, (data >> 24) as u32 & GENERATION);
    let (place, task) = ((data >> 48) as u16, TaskId { index, generation });
    match scheduler().filter(|sched| sched.place == Some(place)) {
        Some(sched) => sched.wake_task(task),
        None => places::wake_task(place, task),
    }
}

/// Returns whether `waker` was made by this file, as a waker of bits.
fn is_own(waker: &Waker) -> bool {
    #[cfg(target_pointer_width = "64")]
    return ptr::eq(waker.vtable(), &PACKED);
    #[cfg(not(target_pointer_width = "64"))]
    return false;
}

// ---- The waker for numbers that do not fit -----------------------------------------------------

struct Unpacked {
    mailbox: Arc<Mailbox>,
    task: TaskId,
}

impl Wake for Unpacked {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        match scheduler().filter(|sched| Arc::ptr_eq(&sched.mailbox, &self.mailbox)) {
            Some(sched) => sched.wake_task(self.task),
            None => self.mailbox.wake_unpacked(self.task),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sched::core::scheduler::current_fiber;
    use crate::sched::tests::run_on;
    use crate::sched::time::clock::VirtualClock;
    use crate::sched::time::idle::ThreadIdle;
    use crate::stack::SizeClass;

    /// Runs `f` as the main fiber of a scheduler of its own.
    fn run<R>(f: impl FnOnce(CurrentFiber) -> R) -> R {
        let clock = Box::new(VirtualClock::new());
        let idle = Box::new(ThreadIdle::new());
        let scheduler = Scheduler::new(SizeClass::DEFAULT, clock, idle).unwrap();
        run_on(Box::new(scheduler), || f(current_fiber()))
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn numbers_that_do_not_fit_are_not_packed() {
        let task = TaskId { index: 0xff_ffff, generation: GENERATION };
        assert_eq!(pack(Some(0xffff), task), Some(usize::MAX));
        assert_eq!(pack(None, task), None);
        assert_eq!(pack(Some(1), TaskId { index: 0x100_0000, generation: 1 }), None);
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn wakers_are_packed_after_many_schedulers() {
        for nth in 0..70_000 {
            let is_packed = run(|current| is_own(&waker(current)));
            assert!(is_packed, "in scheduler {nth}");
        }
    }

    #[test]
    fn a_waker_of_a_scheduler_that_is_gone_does_nothing() {
        for _ in 0..100 {
            let (old, id) = run(|current| (waker(current), current.sched.id));
            run(|current| {
                assert!(!waker(current).will_wake(&old), "run {id} and {}", current.sched.id);
                begin_poll(current);
                old.wake_by_ref();
                assert!(!current.fiber.woken.get());
                waker(current).wake();
                assert!(current.fiber.woken.get());
            });
            old.wake();
        }
    }

    #[test]
    fn a_waker_that_is_not_packed_wakes_on_its_own_thread_and_on_others() {
        run(|current| {
            let task = task_of(current.sched.id, current.fiber.key.get());
            let unpacked = Unpacked { mailbox: current.sched.mailbox.clone(), task };
            let waker = Waker::from(Arc::new(unpacked));
            begin_poll(current);
            waker.wake_by_ref();
            assert!(current.fiber.woken.get());
            begin_poll(current);
            std::thread::scope(|threads| threads.spawn(|| waker.wake()).join().unwrap());
            // Long enough for a turn, which delivers the mail.
            (0..100).for_each(|_| yield_now());
            assert!(current.fiber.woken.get());
        });
    }
}
