//! What a timer in the wheel is for: the deadline of a wait, the time limit of a region, or the
//! timer of a future.
//!
//! Invariants:
//! - A fiber has at most one armed deadline, in `Header::timer`: it is armed directly around a wait.
//!   A region has at most one armed limit, in its scope.
//! - What the wheel points to is alive: a guard on the same stack takes each timer out before the
//!   fiber or the region goes. A stack that is kept forever keeps its regions, and they keep the
//!   record of their fiber.

#![allow(unsafe_code, reason = "the wheel points to records on the stacks of fibers")]

use std::fmt;
use std::ptr::{self, NonNull};

use crate::collections::slot_table::Key;
use crate::collections::timing_wheel::TimerKey;
use crate::fiber::cancel::{self, CancelScope};
use crate::fiber::header::{FiberPtr, FiberRef, Header};

/// What a timer rings for: an address, with the kind of what is there in its lowest bits; or an
/// index above them. (An `enum` would be twice as large, and an entry of the wheel would not fit
/// into half a cache line.)
#[derive(Copy, Clone)]
pub(crate) struct Alarm(NonNull<()>);

/// What has rung.
pub(crate) enum Rings<'a> {
    /// The deadline of this fiber's wait.
    Wait(FiberPtr),
    /// The time limit of this region.
    Region(&'a Region),
    /// The timer of a future, by its place in the table of these.
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

    /// The timer of a future, by its place in the table of these.
    pub(crate) fn of_task(key: Key) -> Alarm {
        // Tables of 2^29 timers do not fit into 32 bits of address.
        let bits = (key.index as usize) << TAGS.count_ones() | TASK;
        Alarm(NonNull::new(ptr::without_provenance_mut(bits)).expect("it has a tag"))
    }

    /// Decodes the alarm, whose timer rings now.
    pub(crate) fn rings(&self) -> Rings<'_> {
        if self.0.addr().get() & TASK != 0 {
            #[allow(clippy::cast_possible_truncation, reason = "it was made of a `u32`")]
            return Rings::Task((self.0.addr().get() >> TAGS.count_ones()) as u32);
        }
        let address = self.0.as_ptr().map_addr(|address| address & !TAGS);
        // SAFETY: both constructors were given references, which are not null without their tag.
        let address = unsafe { NonNull::new_unchecked(address) };
        if self.0.addr().get() & REGION != 0 {
            // SAFETY: made from a `&Region`. The guard of a region disarms its timer before the
            // region goes, on the thread that rings it; one on a stack that is kept forever does
            // not go. So it is alive while its timer rings, which is as long as the caller has this.
            return Rings::Region(unsafe { address.cast().as_ref() });
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

/// A scope on the stack of a fiber, whose time may be limited.
pub(crate) struct Region {
    pub(crate) scope: CancelScope,
    fiber: FiberRef,
}

impl Region {
    pub(crate) fn new(fiber: FiberRef, scope: CancelScope) -> Region {
        Region { scope, fiber }
    }

    #[inline]
    pub(crate) fn run<T>(&self, f: impl FnOnce() -> T) -> T {
        cancel::within(self.fiber.ptr(), &self.scope, f)
    }

    /// Ends the region, whose timer has rung. Returns the fiber on whose stack it lies.
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
