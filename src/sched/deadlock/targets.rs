//! The fibers, channels and descriptors for which the fibers of a scheduler wait, for dumps.
//!
//! They are looked up when a dump is made. Waits do no work for it.

use std::collections::HashMap;

use crate::fiber::header::{FiberRef, Header};
use crate::fiber::id::FiberId;
use crate::fiber::wait_list::{self, WaitList};
use crate::fiber::waits_for::{Descriptor, WaitsFor};
use crate::sched::core::scheduler::Scheduler;

/// Everything for which a fiber of the scheduler may wait.
#[derive(Debug)]
pub(crate) struct Targets {
    /// The fibers that are joined, and the channels between threads, by the fiber that waits.
    by_fiber: HashMap<FiberId, Vec<WaitsFor>>,
    /// The descriptors, by the address of the list in which fibers wait for them.
    descriptors: HashMap<*const WaitList, Descriptor>,
}

impl Targets {
    pub(crate) fn of(sched: &Scheduler, fibers: &[FiberRef]) -> Targets {
        let mut by_fiber: HashMap<FiberId, Vec<WaitsFor>> = HashMap::new();
        for fiber in fibers {
            if let Some(joiner) = fiber.joiner.get() {
                by_fiber.entry(joiner.id()).or_default().push(end_of(fiber));
            }
        }
        for (_, listed) in sched.outside.waits.borrow().iter() {
            let wait = listed.wait();
            let fiber = sched.fiber_of(wait.ticket().key());
            if let (Some(place), Some(fiber)) = (wait.made_at(), fiber) {
                by_fiber.entry(fiber.id()).or_default().push(WaitsFor::Channel(place));
            }
        }
        let waits_for_events = sched.outside.external_waits.get() != 0;
        let descriptors = if waits_for_events { sched.idle.descriptors() } else { Vec::new() };
        Targets { by_fiber, descriptors: descriptors.into_iter().collect() }
    }

    /// Returns what `fiber`, which waits, waits for.
    pub(crate) fn of_wait(&self, fiber: &FiberRef) -> Vec<WaitsFor> {
        let mut targets = self.by_fiber.get(&fiber.id()).cloned().unwrap_or_default();
        for (list, made_at) in wait_list::lists_of(fiber.ptr()) {
            let descriptor = || self.descriptors.get(&list).cloned().map(WaitsFor::Descriptor);
            targets.extend(made_at.map(WaitsFor::Channel).or_else(descriptor));
        }
        targets
    }
}

fn end_of(fiber: &Header) -> WaitsFor {
    let name = fiber.peek_extra(|extra| extra.name.clone()).flatten();
    WaitsFor::Fiber { id: fiber.id(), name }
}
