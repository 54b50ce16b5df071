//! What the timing wheel rings for: the deadline of a wait, the time limit of a region, the timer of a
//! future.
//!
//! Invariants:
//! - A fiber has at most one armed deadline, in `Header::timer`: it is armed directly around a wait.
//!   A region has at most one armed limit, in its scope.
//! - What the wheel points to is alive: a guard on the same stack takes each timer out before it
//!   goes. A stack that is kept for ever keeps its regions, and they the record of their fiber.

#![allow(unsafe_code, reason = "the wheel points to records on the stacks of fibers")]

use std::fmt;
use std::ptr::{self, NonNull};
use std::time::Duration;

use crate::collections::slot_table::Key;
use crate::collections::timing_wheel::TimerKey;
use crate::fiber::cancel;
use crate::fiber::header::{FiberPtr, Header};
use crate::fiber::state::Attention;
use crate::sched::interrupt;
use crate::sched::region::Region;
use crate::sched::scheduler::{Here, Scheduler, here};

/// What a timer rings for: an address, and in its lowest bits of what; or an index above them. (As an `enum` it would be
/// twice as large, and an entry of the wheel would not fit into half a cache line.)
#[derive(Copy, Clone)]
pub(crate) struct Alarm(NonNull<()>);

enum Rings {
    Wait(FiberPtr),
    Region(NonNull<Region>),
    Task(u32),
}

const REGION: usize = 1;
const TASK: usize = 2;
const TAGS: usize = REGION | TASK;

impl Alarm {
    fn of_wait(fiber: FiberPtr) -> Alarm {
        const { assert!(TAGS < align_of::<Header>()) };
        Alarm(fiber.as_non_null().cast())
    }

    pub(crate) fn of_region(region: &Region) -> Alarm {
        const { assert!(TAGS < align_of::<Region>()) };
        Alarm(NonNull::from(region).cast::<()>().map_addr(|address| address | REGION))
    }

    /// The timer of a future, by its place in the table of these.
    pub(crate) fn of_task(key: Key) -> Alarm {
        // Tables of 2^29 timers do not fit into 32 bits of address.
        let bits = (key.index as usize) << TAGS.count_ones() | TASK;
        Alarm(NonNull::new(ptr::without_provenance_mut(bits)).expect("it has a tag"))
    }

    fn rings(self) -> Rings {
        if self.0.addr().get() & TASK != 0 {
            #[allow(clippy::cast_possible_truncation, reason = "it was made of a `u32`")]
            return Rings::Task((self.0.addr().get() >> TAGS.count_ones()) as u32);
        }
        let address = self.0.as_ptr().map_addr(|address| address & !TAGS);
        // SAFETY: both constructors were given references, which are not null without their tag.
        let address = unsafe { NonNull::new_unchecked(address) };
        if self.0.addr().get() & REGION != 0 {
            return Rings::Region(address.cast());
        }
        // SAFETY: made from a `FiberPtr`, whose record is alive as long as its timer is armed: the
        // scheduler's reference goes after the fiber's end, and `Deadline` disarms it before.
        Rings::Wait(unsafe { FiberPtr::new(address.cast()) })
    }
}

impl fmt::Debug for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Alarm").field(&self.0).finish()
    }
}

/// A deadline that never comes: one that is too long for the clock.
pub(crate) const NEVER: u64 = u64::MAX;

/// The deadline `timeout` from now, in the scheduler's microseconds.
pub(crate) fn deadline_after(here: Here, timeout: Duration) -> u64 {
    let now = here.sched.clock.now();
    match now.checked_add(timeout) {
        Some(at) => here.sched.micros_at(at),
        None => NEVER,
    }
}

/// An armed deadline of the running fiber's next wait; disarmed when dropped. One that never comes is
/// none.
///
/// A fiber has one at a time. It is therefore armed directly around the wait, so that no user code
/// (the destructor of a value that was to be sent, say) runs while it exists.
#[derive(Debug)]
pub(crate) struct Deadline(FiberPtr);

impl Deadline {
    pub(crate) fn arm(here: Here, at: u64) -> Deadline {
        let Here { fiber, sched } = here;
        // Always checked: the wheel would be left with the address of a fiber that may be freed.
        assert!(fiber.timer.get() == TimerKey::NONE, "one deadline a wait");
        fiber.timer.set(sched.arm(at, Alarm::of_wait(fiber)));
        Deadline(fiber)
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        here().sched.disarm(self.0.timer.replace(TimerKey::NONE));
        self.0.attention.set(self.0.attention.get().without(Attention::TIMEOUT));
    }
}

impl Scheduler {
    /// Puts a timer that rings at `at` into the wheel; none if that never comes. (A clock that jumps
    /// would go there, and be at its end.)
    #[inline]
    pub(crate) fn arm(&self, at: u64, alarm: Alarm) -> TimerKey {
        if at == NEVER { TimerKey::NONE } else { self.timers.borrow_mut().insert(at, alarm) }
    }

    /// Takes a timer, if it is one, out of the wheel.
    #[inline]
    pub(crate) fn disarm(&self, timer: TimerKey) {
        if timer != TimerKey::NONE {
            self.timers.borrow_mut().cancel(timer);
        }
    }

    /// Takes the timers of `fiber`, which will never run again, out of the wheel. (Those of regions
    /// in its suspended generators stay, and ring for nothing.)
    #[cold]
    pub(crate) fn disarm_all(&self, fiber: FiberPtr) {
        self.disarm(fiber.timer.replace(TimerKey::NONE));
        cancel::take_timers(&fiber, |timer| self.disarm(timer));
    }

    /// Rings all timers whose time has come.
    pub(crate) fn fire_timers(&self) {
        let now = self.now.get();
        self.timers.borrow_mut().advance(now, |alarm| match alarm.rings() {
            Rings::Wait(fiber) => self.end_wait(fiber),
            Rings::Task(index) => self.ring_task(index),
            // SAFETY: a region disarms its timer before it goes; one on a stack that is kept for
            // ever does not go.
            Rings::Region(region) => self.end_region(unsafe { region.as_ref() }),
        });
    }

    /// One that is in the ring already is told as well: it may have been woken for nothing, and its
    /// wait has no other deadline to be woken by. So is one that was paused, which goes on when it is
    /// put back, and not now.
    fn end_wait(&self, fiber: FiberPtr) {
        fiber.timer.set(TimerKey::NONE);
        fiber.notice(Attention::TIMEOUT);
        self.make_ready(fiber);
    }

    /// The fiber is woken if the end of the region changes anything where it waits: not if that is
    /// in a shield, nor if the region is on the stack of a generator that is suspended.
    fn end_region(&self, region: &Region) {
        let fiber = region.time_is_up();
        if interrupt::has_something_to_raise(fiber) {
            self.wake_to_unwind(fiber);
        }
    }
}
