//! The meaning of a timer in the wheel: the deadline of a wait, the time limit of a region, or the
//! timer of a future.
//!
//! Invariants:
//! - A fiber has at most one armed deadline, in `Header::timer`, which is armed directly around a
//!   wait. A region has at most one armed limit, in its scope.
//! - Everything that the wheel points to is alive: a guard on the same stack takes each timer out
//!   before the fiber or the region is freed. An abandoned stack keeps its regions, and they keep
//!   the header of their fiber.

#![allow(unsafe_code, reason = "the wheel points to headers, and to regions on stacks")]

use std::fmt;
use std::ptr::{self, NonNull};

use crate::collections::slot_table::Key;
use crate::collections::timing_wheel::TimerKey;
use crate::fiber::cancel::{self, CancelScope};
use crate::fiber::header::{FiberPtr, FiberRef, Header};

/// The target of a timer: an address with a tag in its lowest bits, or an index above the tag. (An
/// `enum` would be twice as large, and an entry of the wheel would not fit into half a cache line.)
#[derive(Copy, Clone)]
pub(crate) struct Alarm(NonNull<()>);

/// The target of a timer that has fired.
pub(crate) enum Rings<'a> {
    /// The deadline of this fiber's wait.
    Wait(FiberPtr),
    /// The time limit of this region.
    Region(&'a Region),
    /// The timer of a future, by its index in `Timers::of_tasks`.
    Task(u32),
}

const REGION: usize = 1;
const TASK: usize = 2;
const TAGS: usize = REGION | TASK;

impl Alarm {
    pub(crate) fn of_wait(fiber: FiberPtr) -> Alarm {
        const { assert!(TAGS < align_of::<Header>()) };
        Alarm(fiber.as_non_null().cast())
    }

    pub(crate) fn of_region(region: &Region) -> Alarm {
        const { assert!(TAGS < align_of::<Region>()) };
        Alarm(NonNull::from(region).cast::<()>().map_addr(|address| address | REGION))
    }

    /// Returns the alarm for the timer of a future, by its key in `Timers::of_tasks`.
    pub(crate) fn of_task(key: Key) -> Alarm {
        // On 32 bits the shift would lose bits of an index of 2^30 or more. A table of that many
        // timers does not fit into 32 bits of address.
        let bits = (key.index as usize) << TAGS.count_ones() | TASK;
        Alarm(NonNull::new(ptr::without_provenance_mut(bits)).expect("it has a tag"))
    }

    /// Decodes the alarm, whose timer fires now.
    pub(crate) fn rings(&self) -> Rings<'_> {
        if self.0.addr().get() & TASK != 0 {
            #[allow(clippy::cast_possible_truncation, reason = "it was made of a `u32`")]
            return Rings::Task((self.0.addr().get() >> TAGS.count_ones()) as u32);
        }
        let address = self.0.as_ptr().map_addr(|address| address & !TAGS);
        // SAFETY: the alarm is not of a task, so it was made by `of_wait` or `of_region`. Both put
        // a tag on an aligned address that is not null: without its tag it is not null either.
        let address = unsafe { NonNull::new_unchecked(address) };
        if self.0.addr().get() & REGION != 0 {
            // SAFETY: the address was made from a `&Region`. The guard of a region disarms its
            // timer before the region is freed, on the thread that fires it; a region on an
            // abandoned stack is never freed. So the region is alive while its timer fires, and the
            // caller keeps the result no longer than that.
            return Rings::Region(unsafe { address.cast().as_ref() });
        }
        // SAFETY: the address was made from a `FiberPtr`. The fiber's header is alive as long as
        // the timer is armed: the scheduler releases its reference after the fiber's end, and
        // `Deadline` disarms the timer before that.
        Rings::Wait(unsafe { FiberPtr::new(address.cast()) })
    }
}

impl fmt::Debug for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Alarm").field(&self.0).finish()
    }
}

/// A scope on the stack of a fiber, which may have a time limit.
pub(crate) struct Region {
    pub(crate) scope: CancelScope,
    fiber: FiberRef,
}

impl Region {
    #[inline]
    pub(crate) fn new(fiber: FiberRef, scope: CancelScope) -> Region {
        Region { scope, fiber }
    }

    #[inline]
    pub(crate) fn run<T>(&self, f: impl FnOnce() -> T) -> T {
        cancel::within(self.fiber.ptr(), &self.scope, f)
    }

    /// Ends the region, whose timer has fired. Returns the fiber whose stack holds the region.
    pub(crate) fn time_is_up(&self) -> FiberPtr {
        self.scope.timer.set(TimerKey::NONE);
        self.scope.time_is_up(&self.fiber);
        self.fiber.ptr()
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region").field("scope", &self.scope).finish_non_exhaustive()
    }
}
