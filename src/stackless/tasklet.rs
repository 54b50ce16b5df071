//! The handle to a tasklet: how it is created, compared and queried. `running.rs` and `throwing.rs`
//! have its other operations.
//!
//! Invariants:
//! - Handles belong to the user. The fiber itself holds the record as well, so two owners of the
//!   record mean that the handle is the last one.
//! - A tasklet that nothing can put back into the run ring does not stay on its stack: see `Drop`.

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
use crate::sched::core::scheduler::{CurrentFiber, SchedulerPtr, current_fiber};
use crate::stackless::record::{Record, Tempval};
use crate::stackless::remote::RemoteTasklet;
use crate::stackless::{ending, throwing};

/// A handle to a tasklet of this thread.
///
/// Clones are handles to the same tasklet, and compare equal. A tasklet can have several fibers in
/// turn: when it has ended, it can be [bound](Tasklet::bind) to another function and runs again.
///
/// The state of a tasklet follows from the queue that it is in:
///
/// | state | alive | scheduled | blocked | paused | current |
/// |---|---|---|---|---|---|
/// | empty, bound, dead | | | | | |
/// | paused: in no queue | x | | | x | |
/// | scheduled: in the ring | x | x | | | |
/// | blocked: in a wait | x | x | x | | |
/// | current | x | x | | | x |
///
/// The run ring and the channels keep their members alive. A paused tasklet is kept alive by
/// handles only: when the last one is dropped, the tasklet is [killed](Tasklet::kill). If it has
/// not started, its function is dropped and never called.
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
    /// Creates an empty tasklet, to be [bound](Tasklet::bind) later.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless::Tasklet;
    ///
    /// fibra::run(|| {
    ///     let tasklet = Tasklet::new();
    ///     assert!(!tasklet.is_alive());
    ///     tasklet.bind(|n: u32| assert_eq!(n, 7)).unwrap().setup(7);
    /// });
    /// ```
    #[must_use]
    #[track_caller]
    #[allow(clippy::new_without_default, reason = "it belongs to the scheduler that runs now")]
    pub fn new() -> Tasklet {
        Tasklet { record: Record::new(&current_fiber().sched) }
    }

    /// Returns the tasklet of `fiber`, which is alive.
    pub(crate) fn of(fiber: FiberRef) -> Tasklet {
        Tasklet { record: Record::of(fiber) }
    }

    /// Returns the current tasklet.
    pub(crate) fn current(current: CurrentFiber) -> Tasklet {
        Tasklet::of(current.fiber.to_ref())
    }

    pub(crate) fn record(&self) -> &Rc<Record> {
        &self.record
    }

    /// Creates a fiber for the tasklet that will run `f`. The tasklet is paused.
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

    /// Returns whether the tasklet has a function to run, and its scheduler still runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.alive().is_some()
    }

    /// Returns whether the tasklet waits: at a channel, or for anything else than to be put into
    /// the run ring.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless::{self, Channel};
    ///
    /// fibra::run(|| {
    ///     let tasklet = stackless::spawn(|| drop(Channel::<u32>::new().receive()));
    ///     stackless::run();
    ///     assert!(tasklet.is_blocked() && !tasklet.is_paused());
    /// });
    /// ```
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.alive().is_some_and(|fiber| is_blocked(&fiber))
    }

    /// Returns whether the tasklet is in a queue: the run ring, or that of a channel. So a blocked
    /// tasklet is scheduled.
    #[must_use]
    pub fn is_scheduled(&self) -> bool {
        self.alive().is_some_and(|fiber| !pause::is_floating(fiber.ptr()))
    }

    /// Returns whether the tasklet is alive and in no queue.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless;
    ///
    /// fibra::run(|| {
    ///     let tasklet = stackless::spawn(|| drop(stackless::schedule_remove()));
    ///     assert!(!tasklet.is_paused()); // it is in the run ring
    ///     stackless::run();
    ///     assert!(tasklet.is_paused());
    /// });
    /// ```
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.alive().is_some_and(|fiber| pause::is_floating(fiber.ptr()))
    }

    /// Returns whether the tasklet has no stack: it has not started, or has ended. Only such a
    /// tasklet can be bound.
    #[must_use]
    pub fn is_restorable(&self) -> bool {
        self.alive().is_none_or(|fiber| fiber.state.get() == State::New)
    }

    /// Returns whether the tasklet is the current one.
    #[must_use]
    pub fn is_current(&self) -> bool {
        let fiber = self.alive();
        fiber.is_some() && fiber.map(|fiber| fiber.ptr()) == current::fiber()
    }

    /// Returns whether this is the main tasklet: the fiber that runs the closure of `fibra::run`.
    #[must_use]
    pub fn is_main(&self) -> bool {
        let main = self.record.scheduler().and_then(|sched| sched.main.get());
        main.is_some() && self.alive().map(|fiber| fiber.ptr()) == main
    }

    /// Returns whether the tasklet is protected from being [interrupted](crate::stackless::Run).
    #[must_use]
    pub fn atomic(&self) -> bool {
        self.record.atomic.get()
    }

    /// Returns whether channel operations of the tasklet fail where they would block.
    #[must_use]
    pub fn block_trap(&self) -> bool {
        self.record.block_trap.get()
    }

    /// Sets whether channel operations of the tasklet fail where they would block. Returns the old
    /// value.
    #[allow(clippy::must_use_candidate, reason = "the old value is seldom of interest")]
    pub fn set_block_trap(&self, trap: bool) -> bool {
        self.record.block_trap.replace(trap)
    }

    /// Returns the next tasklet in the queue: in the run ring, or in the queue of the channel where
    /// this one waits. In the run ring the last one is followed by the first, so the only member
    /// follows itself; in a channel the last one is followed by none. Returns `None` for a tasklet
    /// in no queue.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber if the tasklet is alive.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless;
    ///
    /// fibra::run(|| {
    ///     let [a, b] = [(); 2].map(|()| stackless::spawn(|| ()));
    ///     assert_eq!(a.next().as_ref(), Some(&b));
    ///     assert_eq!(b.next(), Some(stackless::getmain())); // the ring is closed
    /// });
    /// ```
    #[must_use]
    #[track_caller]
    pub fn next(&self) -> Option<Tasklet> {
        self.neighbour(1, |(_, next)| next)
    }

    /// Returns the previous tasklet in the queue, like [`next`](Tasklet::next).
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
        let current = current_fiber();
        if is_blocked(&fiber) {
            let (prev, next) = wait_list::neighbours(fiber.ptr());
            let counted = (prev.map(|prev| prev.to_ref()), next.map(|next| next.to_ref()));
            return side(counted).map(Tasklet::of);
        }
        let mut ring = current.sched.in_order();
        ring.insert(0, current.fiber.to_ref());
        let at = ring.iter().position(|member| member.ptr() == fiber.ptr())?;
        let to = at.checked_add_signed(step).unwrap_or(ring.len() - 1) % ring.len();
        Some(Tasklet::of(ring.swap_remove(to)))
    }

    /// Sets the value that is returned by the call in which the tasklet is paused or switched away:
    /// [`run`](Tasklet::run), [`switch`](Tasklet::switch) or
    /// [`schedule_remove`](crate::stackless::schedule_remove). Drops the previous value.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless;
    ///
    /// fibra::run(|| {
    ///     let tasklet = stackless::spawn(|| {
    ///         let value = stackless::schedule_remove().unwrap();
    ///         assert_eq!(value.downcast_ref(), Some(&42));
    ///     });
    ///     stackless::run();
    ///     tasklet.set_tempval(Some(Box::new(42)));
    ///     tasklet.run().unwrap();
    /// });
    /// ```
    pub fn set_tempval(&self, value: Tempval) {
        let before = self.record.tempval.replace(value);
        drop(before);
    }

    /// Takes the value that was set for the tasklet.
    #[must_use]
    pub fn take_tempval(&self) -> Tempval {
        self.record.tempval.take()
    }

    /// Returns the thread that the tasklet belongs to, while its scheduler runs.
    #[must_use]
    pub fn thread_id(&self) -> Option<ThreadId> {
        self.record.scheduler().map(|_| thread::current().id())
    }

    /// Returns the current fiber of the tasklet.
    #[must_use]
    pub fn fiber(&self) -> Option<Fiber> {
        self.alive().map(Fiber::new)
    }

    /// Returns a handle for other threads. It refers to the current fiber of the tasklet.
    #[must_use]
    pub fn remote(&self) -> RemoteTasklet {
        let fiber = self.alive();
        let sched = self.record.scheduler();
        RemoteTasklet::new(sched.zip(fiber.as_ref()))
    }

    /// Returns a handle that does not keep the tasklet alive.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless;
    ///
    /// fibra::run(|| {
    ///     let tasklet = stackless::tasklet(|()| ()).bind(());
    ///     let weak = tasklet.downgrade();
    ///     drop(tasklet); // the last handle of a paused tasklet
    ///     assert_eq!(weak.upgrade(), None);
    /// });
    /// ```
    #[must_use]
    pub fn downgrade(&self) -> WeakTasklet {
        WeakTasklet { record: Rc::downgrade(&self.record) }
    }
}

/// Returns whether `fiber` waits for anything else than to be put into the run ring.
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

/// A handle that does not keep its tasklet alive.
///
/// # Examples
///
/// ```
/// use fibra::stackless;
///
/// fibra::run(|| {
///     let tasklet = stackless::spawn(|| ());
///     let weak = tasklet.downgrade();
///     assert_eq!(weak.upgrade(), Some(tasklet));
/// });
/// ```
#[derive(Clone)]
pub struct WeakTasklet {
    record: Weak<Record>,
}

impl WeakTasklet {
    /// Returns a handle that keeps the tasklet alive, if the tasklet still exists.
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
