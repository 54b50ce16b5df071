//! Fibers as tasks of futures: the waker of a fiber, and the wait that it ends.
//!
//! ```text
//!   data pointer of a waker     63        48 47            24 23             0
//!                              | scheduler  |   generation   |      index     |
//! ```
//!
//! Nothing is behind that pointer: to clone a waker is to copy it, to drop it is nothing. To wake is to
//! look up the fiber: on its own thread in the table, from elsewhere by mail to the scheduler of that
//! number, where wakes of one task that is not yet delivered merge. Numbers too large for their bits, and pointers of 32 bits, get a waker of an `Arc`.
//!
//! Invariants:
//! - A wake that reaches another fiber than the one that it was meant for, since of a generation
//!   only 24 bits are compared, wakes it for nothing and does no harm.
//! - Wakers of this file run no user code when they wake: the run loop may do it. Others are called by
//!   a fiber.
//! - A fiber that waits for a future waits for the world: nobody knows who has copies of its waker, so
//!   that is never a deadlock.

#![allow(unsafe_code, reason = "makes wakers")]

use std::panic::Location;
use std::ptr;
use std::sync::Arc;
#[cfg(target_pointer_width = "64")]
use std::task::{RawWaker, RawWakerVTable};
use std::task::{Wake, Waker};

use crate::collections::slot_table::Key;
use crate::fiber::header::FiberPtr;
use crate::fiber::prefetch;
use crate::fiber::state::{OnDeadlock, State, WaitReason};
use crate::sched::core::interrupt::{self, Interrupt};
use crate::sched::core::park::{wait_for_events, yield_now};
use crate::sched::core::scheduler::{CurrentFiber, Scheduler, scheduler};
use crate::sched::shared::mailbox::TaskId;
use crate::sched::shared::registry;

static PENDING: WaitReason =
    WaitReason::new("waiting for a future", OnDeadlock::Panic).ended_externally();
/// For calls that return an error, and so end also where a kill cannot unwind.
pub(crate) static PENDING_OR_ERROR: WaitReason =
    WaitReason::new("waiting for a future", OnDeadlock::Fail).ended_externally();

const GENERATION_BITS: u32 = 24;
const GENERATION: u32 = (1 << GENERATION_BITS) - 1;

/// Returns the task that is the fiber of `key`.
fn task_of(key: Key) -> TaskId {
    TaskId { index: key.index, generation: key.generation & GENERATION }
}

/// The waker of the running fiber.
pub(crate) fn waker(current: CurrentFiber) -> Waker {
    let CurrentFiber { fiber, sched } = current;
    let task = task_of(fiber.key.get());
    #[cfg(target_pointer_width = "64")]
    if let Some(data) = pack(sched.id, task) {
        // SAFETY: the functions of the table take any data to be bits, and follow no pointer. So
        // the waker may be used on any thread, and as long as one likes.
        return unsafe { Waker::new(ptr::without_provenance(data), &PACKED) };
    }
    Waker::from(Arc::new(Unpacked { scheduler: sched.id, task }))
}

/// Waits until the running fiber was woken as a task; not at all if it was since the last call of
/// [`begin_poll`]. With `may_fail` it fails if the fiber was killed and nothing can unwind.
#[track_caller]
pub(crate) fn wait_for_wake(current: CurrentFiber, may_fail: bool) -> Result<(), Interrupt> {
    let reason = if may_fail { &PENDING_OR_ERROR } else { &PENDING };
    if current.fiber.woken.get() {
        // It woke itself, or somebody else did while it ran: others first.
        yield_now();
        let is_asked = may_fail && !current.fiber.signals.get().is_none();
        return if is_asked { interrupt::before_wait(current, reason) } else { Ok(()) };
    }
    wait_for_events(current, reason, || current.fiber.woken.get())
}

/// Whether `fiber` waits to be woken as a task.
fn is_pending(fiber: FiberPtr) -> bool {
    let reason = fiber.reason.get();
    fiber.state.get() == State::Parked
        && (ptr::eq(reason, &PENDING) || ptr::eq(reason, &PENDING_OR_ERROR))
}

/// What wakes the running fiber from now on is for the poll that begins.
pub(crate) fn begin_poll(current: CurrentFiber) {
    current.fiber.woken.set(false);
}

/// A future of the running fiber was polled to its end. A wake that was meant for one around it has
/// perhaps been taken by it: the one around it looks again.
pub(crate) fn end_polls(current: CurrentFiber) {
    current.fiber.woken.set(true);
}

impl Scheduler {
    /// Wakes a fiber as a task.
    pub(crate) fn wake_task(&self, task: TaskId) {
        let fiber = {
            let table = self.table.borrow();
            let key = table.key_at(task.index).filter(|&key| task_of(key) == task);
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

    /// Wakes whatever fiber has that place in the table: several that have had it were meant.
    pub(crate) fn wake_task_at(&self, index: u32) {
        let fiber = {
            let table = self.table.borrow();
            table.key_at(index).and_then(|key| table.get(key).copied())
        };
        if let Some(fiber) = fiber {
            self.wake_as_task(fiber);
        }
    }

    /// Drops `waker`. May be called in the run loop, and while something is borrowed: one of unknown
    /// origin is dropped by a fiber.
    pub(crate) fn drop_waker(&self, waker: Waker) {
        if !is_own(&waker) {
            self.drop_on_a_fiber(waker);
        }
    }

    /// Wakes whatever `waker` wakes. May be called in the run loop, and while something is borrowed: a
    /// waker of unknown origin is called by a fiber.
    pub(crate) fn wake_by(&self, waker: Waker) {
        if is_own(&waker) {
            waker.wake();
        } else {
            // A fiber that is made while `run` ends only drops its closure, and that wakes, too: some
            // destructor may wait for it.
            let wakes = WakesWhenDropped(Some(waker));
            let fiber = self.create_paused(move || drop(wakes), Location::caller());
            self.unpause(fiber.ptr());
        }
    }
}

/// Calls a waker, whether the closure that has this is run or dropped.
struct WakesWhenDropped(Option<Waker>);

impl Drop for WakesWhenDropped {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(Waker::wake);
    }
}

/// Wakes a task of the scheduler of that number, if it still is.
fn wake(id: u32, task: TaskId) {
    match scheduler().filter(|sched| sched.id == id) {
        Some(sched) => sched.wake_task(task),
        None => wake_from_afar(id, task),
    }
}

#[cold]
fn wake_from_afar(id: u32, task: TaskId) {
    if let Some(mailbox) = registry::mailbox(id) {
        mailbox.wake_task(task);
    }
}

// ---- The waker of bits -----------------------------------------------------------------------------

#[cfg(target_pointer_width = "64")]
static PACKED: RawWakerVTable = RawWakerVTable::new(
    |data| RawWaker::new(data, &PACKED),
    |data| wake_packed(data.addr()),
    |data| wake_packed(data.addr()),
    |_| (),
);

#[cfg(target_pointer_width = "64")]
fn pack(scheduler: u32, task: TaskId) -> Option<usize> {
    let fits = scheduler < 1 << 16 && task.index < 1 << 24;
    let (scheduler, generation) = (scheduler as usize, task.generation as usize);
    fits.then_some(scheduler << 48 | generation << 24 | task.index as usize)
}

#[cfg(target_pointer_width = "64")]
#[allow(clippy::cast_possible_truncation, reason = "takes the bits apart")]
fn wake_packed(data: usize) {
    let (index, generation) = (data as u32 & 0xff_ffff, (data >> 24) as u32 & GENERATION);
    wake((data >> 48) as u32, TaskId { index, generation });
}

/// Whether this file has made `waker`, as one of bits.
fn is_own(waker: &Waker) -> bool {
    #[cfg(target_pointer_width = "64")]
    return ptr::eq(waker.vtable(), &PACKED);
    #[cfg(not(target_pointer_width = "64"))]
    return false;
}

// ---- The waker for what does not fit ---------------------------------------------------------------

struct Unpacked {
    scheduler: u32,
    task: TaskId,
}

impl Wake for Unpacked {
    fn wake(self: Arc<Self>) {
        wake(self.scheduler, self.task);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        wake(self.scheduler, self.task);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn what_does_not_fit_is_not_packed() {
        let task = TaskId { index: 0xff_ffff, generation: GENERATION };
        assert_eq!(pack(0xffff, task), Some(usize::MAX));
        assert_eq!(pack(0x1_0000, task), None);
        assert_eq!(pack(1, TaskId { index: 0x100_0000, generation: 1 }), None);
    }

    #[test]
    fn a_waker_of_a_scheduler_that_is_gone_does_nothing() {
        Waker::from(Arc::new(Unpacked { scheduler: u32::MAX, task: task_of(Key::from_bits(1)) }))
            .wake();
    }
}
