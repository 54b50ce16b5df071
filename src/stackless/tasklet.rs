//! The handle to a tasklet: making, comparing, asking. What it can be made to do stands in
//! `running.rs` and `throwing.rs`.
//!
//! Invariants:
//! - Handles are what the user holds. The fiber itself holds the record, so two owners of the
//!   record mean that the handle is the last one.
//! - A tasklet that nobody can put back into the ring does not stay on its stack: see `Drop`.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::panic::Location;
use std::rc::{Rc, Weak};
use std::thread::{self, ThreadId};

use crate::fiber::current;
use crate::fiber::header::FiberRef;
use crate::fiber::state::State;
use crate::fiber::wait_list;
use crate::sched::api::handle::Fiber;
use crate::sched::core::pause;
use crate::sched::core::scheduler::{Here, SchedulerPtr, here};
use crate::stackless::record::{Record, Tempval};
use crate::stackless::remote::RemoteTasklet;
use crate::stackless::{ending, throwing};

/// A handle to a tasklet of this thread.
///
/// Clones are handles to the same tasklet, and compare equal. A tasklet is more than one fiber: one
/// that has ended can be [bound](Tasklet::bind) to another function and runs again (S-027).
///
/// What a tasklet *is* follows from where it stands (S-077):
///
/// | state | alive | scheduled | blocked | paused | current |
/// |---|---|---|---|---|---|
/// | empty, bound, dead | | | | | |
/// | paused: in no queue | x | | | x | |
/// | scheduled: in the ring | x | x | | | |
/// | blocked: in a wait | x | x | x | | |
/// | current | x | x | | | x |
///
/// The ring and the channels keep their members alive. A paused tasklet is kept alive by handles
/// only: when the last one is dropped it is [killed](Tasklet::kill), and if it has not started its
/// function is dropped and never called (S-207, S-209).
///
/// # Examples
///
/// ```
/// use fibra::stackless;
///
/// fibra::run(|| {
///     let greet = stackless::tasklet(|name: &str| println!("hello {name}"));
///     let tasklet = greet.setup("world");
///     assert!(tasklet.is_scheduled());
///     stackless::run();
///     assert!(!tasklet.is_alive());
/// });
/// ```
#[derive(Clone)]
pub struct Tasklet {
    record: Rc<Record>,
}

impl Tasklet {
    /// An empty tasklet, to be [bound](Tasklet::bind) later (S-013).
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[must_use]
    #[track_caller]
    #[allow(clippy::new_without_default, reason = "it belongs to the scheduler that runs now")]
    pub fn new() -> Tasklet {
        Tasklet { record: Record::new(&here().sched) }
    }

    /// The tasklet that `fiber`, which lives, is the life of.
    pub(crate) fn of(fiber: FiberRef) -> Tasklet {
        Tasklet { record: Record::of(fiber) }
    }

    /// The tasklet that runs.
    pub(crate) fn current(here: Here) -> Tasklet {
        Tasklet::of(here.fiber.to_ref())
    }

    pub(crate) fn record(&self) -> &Rc<Record> {
        &self.record
    }

    /// Gives it the life that runs `f`: it is paused.
    pub(crate) fn start<F>(&self, sched: SchedulerPtr, f: F, at: &'static Location<'static>)
    where
        F: FnOnce() + 'static,
    {
        let fiber = sched.create_paused(move || ending::root(f), at);
        self.record.owns_fiber.set(true);
        self.record.live_as(fiber);
    }

    pub(crate) fn alive(&self) -> Option<FiberRef> {
        self.record.fiber()
    }

    /// Whether it has something to run, and its thread still runs it (S-078).
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.alive().is_some()
    }

    /// Whether it waits: at a channel, or for anything else but to be put into the ring (S-081).
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.alive().is_some_and(|fiber| is_blocked(&fiber))
    }

    /// Whether it is in a queue: the ring, or that of a channel. So one that is blocked is
    /// scheduled (S-080).
    #[must_use]
    pub fn is_scheduled(&self) -> bool {
        self.alive().is_some_and(|fiber| !pause::is_floating(fiber.ptr()))
    }

    /// Whether it is alive and in no queue (S-079).
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.alive().is_some_and(|fiber| pause::is_floating(fiber.ptr()))
    }

    /// Whether it has no stack: it has not started, or has ended (S-082). Only such a tasklet can
    /// be bound.
    #[must_use]
    pub fn is_restorable(&self) -> bool {
        self.alive().is_none_or(|fiber| fiber.state.get() == State::New)
    }

    /// Whether it is the one that runs now (S-083).
    #[must_use]
    pub fn is_current(&self) -> bool {
        let fiber = self.alive();
        fiber.is_some() && fiber.map(|fiber| fiber.ptr()) == current::fiber()
    }

    /// Whether it is the main tasklet: the fiber that runs the closure of `fibra::run` (S-083).
    #[must_use]
    pub fn is_main(&self) -> bool {
        let main = self.record.scheduler().and_then(|sched| sched.main.get());
        main.is_some() && self.alive().map(|fiber| fiber.ptr()) == main
    }

    /// Whether it is protected from being [interrupted](crate::stackless::Run).
    #[must_use]
    pub fn atomic(&self) -> bool {
        self.record.atomic.get()
    }

    /// Whether its channel operations fail where they would block.
    #[must_use]
    pub fn block_trap(&self) -> bool {
        self.record.block_trap.get()
    }

    /// Lets its channel operations fail where they would block, or not (S-093). Returns the old
    /// value.
    #[allow(clippy::must_use_candidate, reason = "the old value is seldom of interest")]
    pub fn set_block_trap(&self, trap: bool) -> bool {
        self.record.block_trap.replace(trap)
    }

    /// The tasklet behind it: in the ring, or in the queue of the channel where it waits. In the
    /// ring the last one is followed by the first, so the only member follows itself; in a channel
    /// it is followed by none (S-010). None for a tasklet in no queue.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber if the tasklet is alive.
    #[must_use]
    #[track_caller]
    pub fn next(&self) -> Option<Tasklet> {
        self.neighbour(1, |(_, next)| next)
    }

    /// The tasklet before it, as [`next`](Tasklet::next).
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber if the tasklet is alive.
    #[must_use]
    #[track_caller]
    pub fn prev(&self) -> Option<Tasklet> {
        self.neighbour(-1, |(prev, _)| prev)
    }

    #[track_caller]
    fn neighbour(
        &self,
        step: isize,
        side: impl FnOnce((Option<FiberRef>, Option<FiberRef>)) -> Option<FiberRef>,
    ) -> Option<Tasklet> {
        let fiber = self.alive()?;
        let here = here();
        if is_blocked(&fiber) {
            let (prev, next) = wait_list::neighbours(fiber.ptr());
            let counted = (prev.map(|prev| prev.to_ref()), next.map(|next| next.to_ref()));
            return side(counted).map(Tasklet::of);
        }
        let mut ring = here.sched.in_order();
        ring.insert(0, here.fiber.to_ref());
        let at = ring.iter().position(|member| member.ptr() == fiber.ptr())?;
        let to = at.checked_add_signed(step).unwrap_or(ring.len() - 1) % ring.len();
        Some(Tasklet::of(ring.swap_remove(to)))
    }

    /// Leaves a value for it, which the call returns in which it is paused or switched away:
    /// [`run`](Tasklet::run), [`switch`](Tasklet::switch) or
    /// [`schedule_remove`](crate::stackless::schedule_remove) (S-087). Drops the one before.
    pub fn set_tempval(&self, value: Tempval) {
        let before = self.record.tempval.replace(value);
        drop(before);
    }

    /// Takes the value that was left for it.
    #[must_use]
    pub fn take_tempval(&self) -> Tempval {
        self.record.tempval.take()
    }

    /// The thread that it belongs to, as long as that runs its scheduler (S-084).
    #[must_use]
    pub fn thread_id(&self) -> Option<ThreadId> {
        self.record.scheduler().map(|_| thread::current().id())
    }

    /// The fiber that it is at present.
    #[must_use]
    pub fn fiber(&self) -> Option<Fiber> {
        self.alive().map(Fiber::new)
    }

    /// A handle for other threads, to the life that it has now (S-194).
    #[must_use]
    pub fn remote(&self) -> RemoteTasklet {
        let fiber = self.alive();
        let sched = self.record.scheduler();
        RemoteTasklet::new(sched.zip(fiber.as_ref()))
    }

    /// A handle that does not keep it alive (S-092).
    #[must_use]
    pub fn downgrade(&self) -> WeakTasklet {
        WeakTasklet { record: Rc::downgrade(&self.record) }
    }
}

/// Whether `fiber` waits for something but to be put into the ring.
pub(crate) fn is_blocked(fiber: &FiberRef) -> bool {
    fiber.state.get() == State::Parked && !pause::is_floating(fiber.ptr())
}

impl Drop for Tasklet {
    fn drop(&mut self) {
        if Rc::strong_count(&self.record) == 2 && self.record.owns_fiber.get() {
            throwing::abandon(&self.record);
        }
    }
}

impl PartialEq for Tasklet {
    fn eq(&self, other: &Tasklet) -> bool {
        Rc::ptr_eq(&self.record, &other.record)
    }
}

impl Eq for Tasklet {}

impl Hash for Tasklet {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Rc::as_ptr(&self.record).hash(state);
    }
}

impl fmt::Debug for Tasklet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tasklet").field(&self.record).finish()
    }
}

/// A handle that does not keep a tasklet alive (S-092).
#[derive(Clone)]
pub struct WeakTasklet {
    record: Weak<Record>,
}

impl WeakTasklet {
    /// A handle that does, if the tasklet is still there.
    #[must_use]
    pub fn upgrade(&self) -> Option<Tasklet> {
        self.record.upgrade().map(|record| Tasklet { record })
    }
}

impl fmt::Debug for WeakTasklet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakTasklet")
    }
}
