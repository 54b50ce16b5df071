//! The scheduler of one thread: the data that it owns, and the one door in.
//!
//! Invariants:
//! - There is one scheduler per thread, during one `run`. Only its own thread reaches it, through
//!   [`current`](crate::fiber::current).
//! - No user code runs while one of its parts is borrowed: values are taken out, the borrow ends,
//!   then they are used.
//! - A fiber in the ring is `New` or `Runnable`, is in it once (by its ticket), and is alive: the
//!   scheduler's own reference is dropped after the fiber has ended.

#![allow(unsafe_code, reason = "the run ring is reached without a borrow flag")]

use std::cell::{Cell, OnceCell, RefCell, UnsafeCell};
use std::fmt;
use std::io;
use std::mem::offset_of;
use std::ops::Deref;
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use crate::collections::run_ring::RunRing;
use crate::collections::shared_counter::SharedCounter;
use crate::collections::slot_table::{Key, SlotTable};
use crate::fiber::current::{self, ThreadState};
use crate::fiber::header::{FiberPtr, FiberRef, Header};
use crate::fiber::id::FiberId;
use crate::fiber::report;
use crate::fiber::state::State;
use crate::sched::core::caller::Caller;
use crate::sched::core::deadlocks::Deadlocks;
use crate::sched::core::debugger::{Listed, OfScheduler};
use crate::sched::core::facade::Tasklets;
use crate::sched::core::main_fiber::MainFiber;
use crate::sched::core::observer::Observer;
use crate::sched::core::pace::{LONGEST_BATCH, Pace, look_mask};
use crate::sched::core::spare::Spare;
use crate::sched::core::unwinds::Unwinds;
use crate::sched::core::watch::Watch;
use crate::sched::core::work::Work;
use crate::sched::shared::circles::Circles;
use crate::sched::shared::mailbox::Mailbox;
use crate::sched::shared::outside::Outside;
use crate::sched::shared::places::{self, Address};
use crate::sched::shared::registry;
use crate::sched::shared::witnesses::Witnesses;
use crate::sched::time::clock::Clock;
use crate::sched::time::idle::Idle;
use crate::sched::time::spin::Spin;
use crate::sched::time::timers::Timers;
use crate::stack::{Keep, Pool, SizeClass};

/// Everything that one thread needs to run fibers. The order of the fields is deliberate.
#[repr(C)]
pub(crate) struct Scheduler {
    // -- touched by every switch ------------------------------------------------------------
    ring: UnsafeCell<RunRing<FiberPtr>>,
    /// The number of operations that the running fiber may still do before it yields.
    pub(crate) budget: Cell<u32>,
    /// Its number or, if wakes are observed, 0.
    pub(crate) unobserved: Cell<u32>,
    pub(crate) switches: SharedCounter,
    /// When these bits of `switches` are zero, the batch may end. A part of `batch_mask`.
    pub(crate) look_mask: Cell<u64>,
    /// The fiber whose wait was the last event, or `None` if the end of a fiber was.
    pub(crate) last_parked: Cell<Option<FiberPtr>>,
    /// The clock as read in the last turns, in milliseconds since the start; it may wrap.
    pub(crate) now_ms: Cell<u32>,
    /// Its number, which no other scheduler of the process ever has.
    pub(crate) id: u32,

    // -- touched by spawn and end -----------------------------------------------------------
    pub(crate) next_number: Cell<u64>,
    /// The number of fibers that have neither ended nor been abandoned, main included.
    pub(crate) live: Cell<usize>,
    /// Whether `run` is ending: fibers spawned from now on are killed immediately.
    pub(crate) closing: Cell<bool>,
    /// Whether something must be done with spawned fibers: `closing`, or they are observed.
    pub(crate) admits_specially: Cell<bool>,
    pub(crate) main_ended: Cell<bool>,
    /// The class of stack for fibers whose builder sets none.
    pub(crate) default_class: SizeClass,
    pub(crate) table: RefCell<SlotTable<FiberPtr>>,
    pub(crate) pool: RefCell<Pool>,

    // -- the rest, each with the rules of its own file -----------------------------------------
    /// A batch ends when these bits of `switches` are zero.
    pub(crate) batch_mask: Cell<u64>,
    pub(crate) unwinds: Unwinds,
    pub(crate) pace: Pace,
    pub(crate) time: Timers,
    pub(crate) idle: Box<dyn Idle>,
    pub(crate) spin: Spin,
    pub(crate) mailbox: Arc<Mailbox>,
    /// The number by which wakers and tickets find its mailbox. A later scheduler may have it
    /// again.
    pub(crate) place: Option<u16>,
    pub(crate) outside: Outside,
    /// The fibers that other threads may wake.
    pub(crate) witnesses: RefCell<Witnesses>,
    /// The times at which to look for locks that are never released.
    pub(crate) circles: Circles,
    pub(crate) deadlocks: Deadlocks,
    pub(crate) main: MainFiber,
    pub(crate) spare: Spare,
    /// The number of fibers that were abandoned.
    pub(crate) abandoned: Cell<usize>,
    pub(crate) tasklets: Tasklets,
    pub(crate) caller: Caller,
    /// The hooks that are called for its fibers, if there are any.
    pub(crate) observer: OnceCell<Observer>,
    /// The jobs that it may start, if it takes part in a runtime.
    pub(crate) work: OnceCell<Box<dyn Work>>,
    /// Its card in the list that debuggers read.
    pub(crate) listed: Listed,
    /// A value of a layer above that ends when all fibers have ended.
    pub(crate) attached: Cell<Option<Box<dyn fmt::Debug>>>,
    /// The place at which it is watched for fibers that hold it for too long, if it is.
    pub(crate) watch: OnceCell<Box<dyn Watch<Scheduler>>>,
    #[cfg(feature = "tokio")]
    pub(crate) hosted: Hosted,
}

/// The state of a scheduler whose turns another event loop calls.
#[cfg(feature = "tokio")]
#[derive(Debug, Default)]
pub(crate) struct Hosted {
    pub(crate) turns: Cell<u32>,
    /// Whether other threads were told that it sleeps.
    pub(crate) asleep: Cell<bool>,
    /// Whether its runtime counts it among the schedulers that sleep, to find stalls.
    pub(crate) counts_as_asleep: Cell<bool>,
    /// Whether it is a guest that was dropped, or whose frame ends.
    pub(crate) is_ending: Cell<bool>,
}

/// The fields that debuggers read.
const PLACES: OfScheduler = OfScheduler {
    id: offset_of!(Scheduler, id),
    now_ms: offset_of!(Scheduler, now_ms),
    switches: offset_of!(Scheduler, switches),
    table: offset_of!(Scheduler, table),
};

static NEXT_ID: AtomicU32 = AtomicU32::new(1);

/// Takes the next number of a scheduler. They are used once, and never wrap: 0 stands for threads.
fn next_number(next: &AtomicU32) -> u32 {
    let taken = next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |id| id.checked_add(1));
    taken.expect("there were too many schedulers in this process")
}

impl Scheduler {
    pub(crate) fn new(
        default_class: SizeClass,
        clock: Box<dyn Clock>,
        idle: Box<dyn Idle>,
    ) -> io::Result<Scheduler> {
        let id = next_number(&NEXT_ID);
        let mut pool = Pool::new(Keep::recent(default_class));
        let spare = pool.take(default_class)?;
        let mailbox = Arc::new(Mailbox::new(idle.waker()));
        let listed = Listed::new(&spare, clock.can_jump(), PLACES);
        // Nothing fails from here on: the scheduler leaves the registry, and its place, only when
        // it is dropped.
        Ok(Scheduler {
            ring: UnsafeCell::new(RunRing::new()),
            budget: Cell::new(0),
            unobserved: Cell::new(id),
            switches: SharedCounter::new(0),
            look_mask: Cell::new(look_mask(LONGEST_BATCH - 1)),
            last_parked: Cell::new(None),
            now_ms: Cell::new(0),
            id,
            next_number: Cell::new(1),
            live: Cell::new(0),
            closing: Cell::new(false),
            admits_specially: Cell::new(false),
            main_ended: Cell::new(false),
            default_class,
            table: RefCell::new(SlotTable::new()),
            pool: RefCell::new(pool),
            batch_mask: Cell::new(LONGEST_BATCH - 1),
            unwinds: Unwinds::new(),
            pace: Pace::new(),
            time: Timers::new(clock),
            idle,
            spin: Spin::new(),
            outside: Outside::new(),
            witnesses: RefCell::new(Witnesses::new()),
            circles: Circles::new(registry::enrol(id, &mailbox)),
            place: places::take(id, &mailbox),
            mailbox,
            deadlocks: Deadlocks::new(),
            main: MainFiber::new(),
            spare: Spare::new(spare),
            abandoned: Cell::new(0),
            tasklets: Tasklets::new(),
            caller: Caller::new(),
            observer: OnceCell::new(),
            work: OnceCell::new(),
            listed,
            attached: Cell::new(None),
            watch: OnceCell::new(),
            #[cfg(feature = "tokio")]
            hosted: Hosted::default(),
        })
    }

    /// Makes a batch end when the bits of `mask` in the number of switches are zero.
    pub(crate) fn set_batch_mask(&self, mask: u64) {
        self.batch_mask.set(mask);
        self.look_mask.set(look_mask(mask));
    }

    /// Runs `f` on the ring. `f` does ring operations only.
    #[inline(always)]
    pub(crate) fn ring<R>(&self, f: impl FnOnce(&mut RunRing<FiberPtr>) -> R) -> R {
        // SAFETY: the reference is exclusive while `f` runs: one thread reaches the scheduler, this
        // is the only access to the ring, and no `f` in this crate calls this function again (each
        // does ring operations, and reads a fiber's ticket).
        f(unsafe { &mut *self.ring.get() })
    }

    /// Returns the identity of the next fiber.
    #[inline(always)]
    pub(crate) fn next_id(&self) -> FiberId {
        let number = self.next_number.get();
        self.next_number.set(number + 1);
        FiberId { scheduler: self.id, number }
    }

    /// Adds a new fiber to the table. It is not in the ring until the caller puts it there.
    #[inline(always)]
    pub(crate) fn admit(&self, fiber: FiberRef) -> FiberPtr {
        let fiber = fiber.into_ptr();
        fiber.key.set(self.table.borrow_mut().insert(fiber));
        self.live.set(self.live.get() + 1);
        if self.admits_specially.get() {
            self.admit_specially(fiber);
        }
        fiber
    }

    #[cold]
    #[inline(never)]
    fn admit_specially(&self, fiber: FiberPtr) {
        if self.closing.get() {
            fiber.killed.set(true);
        }
        if let Some(observer) = self.observer.get() {
            observer.note_spawn(self.time.clock.now(), fiber);
        }
    }

    /// Drops the scheduler's reference to a fiber that has ended.
    #[inline(always)]
    pub(crate) fn dismiss(&self, fiber: FiberPtr) {
        self.table.borrow_mut().remove(fiber.key.get());
        // SAFETY: `admit` kept the reference that came with the fiber, and a fiber ends once.
        drop(unsafe { fiber.into_ref() });
    }

    /// Puts a parked fiber back into the ring, behind all others. The one door in.
    ///
    /// A fiber that is not parked stays where it is: it was woken for another reason (a deadline,
    /// a kill), and will check the condition of its wait when it runs.
    #[inline(always)]
    pub(crate) fn make_ready(&self, fiber: FiberPtr) {
        if fiber.state.get() != State::Parked {
            return;
        }
        self.expect_own_wake(fiber);
        fiber.state.set(State::Runnable);
        self.ring(|ring| ring.push_back(fiber, fiber.ticket.get()));
    }

    /// Like [`make_ready`](Scheduler::make_ready), but the fiber runs next.
    #[inline(always)]
    pub(crate) fn make_ready_next(&self, fiber: FiberPtr) {
        if fiber.state.get() != State::Parked {
            return;
        }
        self.expect_own_wake(fiber);
        fiber.state.set(State::Runnable);
        self.ring(|ring| ring.push_front(fiber, fiber.ticket.get()));
    }

    /// Does the same as [`expect_own`](Scheduler::expect_own) for a fiber that is woken, and
    /// records the wake if wakes are observed.
    #[inline(always)]
    fn expect_own_wake(&self, fiber: FiberPtr) {
        if fiber.scheduler_id() != self.unobserved.get() {
            self.note_wake(fiber);
        }
    }

    #[cold]
    #[inline(never)]
    fn note_wake(&self, fiber: FiberPtr) {
        self.expect_own(&fiber);
        if let Some(observer) = self.observer.get() {
            observer.note_wake(self.time.clock.now(), fiber);
        }
    }

    /// Aborts the process if `fiber` belongs to another scheduler.
    ///
    /// That cannot happen: handles stay on their thread, and a thread has one scheduler at a time,
    /// by whose end its fibers have ended or were abandoned. So a handle from an earlier `run`
    /// reaches no fiber that could be made ready. If it did, the code on a stack would go on after
    /// the data that it borrows was freed.
    #[inline(always)]
    pub(crate) fn expect_own(&self, fiber: &Header) {
        if fiber.scheduler_id() != self.id {
            of_another_scheduler(fiber);
        }
    }

    /// Converts `at` to microseconds since the scheduler's start, for deadlines: rounded up, so
    /// that no timer rings early.
    #[inline]
    pub(crate) fn micros_at(&self, at: Instant) -> u64 {
        self.time.micros_at(at)
    }

    /// Reads the clock. Returns the number of switches since it was last read.
    pub(crate) fn refresh_now(&self) -> u64 {
        let since = self.time.read_clock();
        #[allow(clippy::cast_possible_truncation, reason = "ages are differences: it may wrap")]
        self.now_ms.set(since.as_millis() as u32);
        self.pace.lap(self.switches.get())
    }

    /// Returns the way to it, as tickets keep it.
    #[inline]
    pub(crate) fn address(&self) -> Address {
        Address::of(self.id, self.place, &self.mailbox)
    }

    /// Returns the living fiber of `key`.
    pub(crate) fn fiber_of(&self, key: Key) -> Option<FiberPtr> {
        self.table.borrow().get(key).copied()
    }

    /// Returns the living fibers for which `wanted` holds, the oldest first.
    pub(crate) fn fibers_where(&self, wanted: impl Fn(FiberPtr) -> bool) -> Vec<FiberRef> {
        let table = self.table.borrow();
        let alive = table.iter().map(|(_, fiber)| *fiber).filter(|&fiber| wanted(fiber));
        let mut fibers: Vec<FiberRef> = alive.map(FiberPtr::to_ref).collect();
        fibers.sort_unstable_by_key(|fiber| fiber.id());
        fibers
    }

    /// Returns the number of fibers that were spawned, the main fiber included.
    pub(crate) fn spawned(&self) -> u64 {
        self.next_number.get() - 1
    }

    /// Wakes the main fiber, if it waits for the others to end, to check whether it is the last.
    pub(crate) fn tell_main(&self) {
        if let Some(main) = self.main.winding_up() {
            self.make_ready(main);
        }
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        self.listed.hide();
        registry::leave(self.id);
        self.place.into_iter().for_each(places::leave);
        // No user code may run any more, and the destructor of a waker may be user code.
        std::mem::forget(std::mem::take(self.time.of_tasks.get_mut()));
        std::mem::forget(self.idle.take_wakers());
        std::mem::forget(self.caller.calls.take());
        // Handles of other threads may keep the mailbox alive. No payload is left in it.
        self.mailbox.inbox.abandon();
        // A stack that is only dropped, and not given to the pool, is leaked.
        if let Some(spare) = self.spare.stack.get_mut().take() {
            self.pool.get_mut().give(spare);
        }
    }
}

impl fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduler").field("id", &self.id).field("live", &self.live.get()).finish()
    }
}

/// The running fiber and its scheduler.
#[derive(Copy, Clone)]
pub(crate) struct CurrentFiber {
    pub(crate) fiber: FiberPtr,
    pub(crate) sched: SchedulerPtr,
}

/// A pointer to this thread's scheduler, which is alive as long as fibers run.
#[derive(Copy, Clone)]
pub(crate) struct SchedulerPtr(NonNull<Scheduler>);

impl Deref for SchedulerPtr {
    type Target = Scheduler;

    #[inline(always)]
    fn deref(&self) -> &Scheduler {
        // SAFETY: only `current_fiber` and `scheduler` make this pointer, for code that runs while
        // the scheduler is that of the thread: on a fiber, in the run loop, or in code of a host
        // between two turns. `run` drops the scheduler after these have ended, and the frame of a
        // guest does so when the code of the frame is over.
        unsafe { self.0.as_ref() }
    }
}

/// Returns the running fiber and its scheduler.
///
/// # Panics
///
/// Panics outside of a fiber.
#[inline(always)]
#[track_caller]
pub(crate) fn current_fiber() -> CurrentFiber {
    let (fiber, sched) = ThreadState::with(|thread| (thread.fiber.get(), thread.scheduler.get()));
    let Some(fiber) = fiber else { current::outside_of_a_fiber(Location::caller()) };
    // SAFETY: a fiber runs on this thread, so the run loop has set the scheduler's address.
    let sched = SchedulerPtr(unsafe { NonNull::new_unchecked(sched.cast_mut().cast()) });
    CurrentFiber { fiber, sched }
}

/// Returns the running fiber and its scheduler; `None` outside of a fiber.
#[inline(always)]
pub(crate) fn try_current_fiber() -> Option<CurrentFiber> {
    current::fiber().map(|_| current_fiber())
}

/// Returns the scheduler of this thread, if it has one.
#[inline(always)]
pub(crate) fn scheduler() -> Option<SchedulerPtr> {
    NonNull::new(ThreadState::with(|thread| thread.scheduler.get()).cast_mut().cast())
        .map(SchedulerPtr)
}

#[cold]
#[inline(never)]
fn of_another_scheduler(fiber: &Header) -> ! {
    report::say(format_args!(
        "fiber {} was reached from another scheduler, which is a bug in fibra: aborting",
        fiber.id()
    ));
    std::process::abort()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_schedulers_never_wrap() {
        let next = AtomicU32::new(u32::MAX - 1);
        assert_eq!(next_number(&next), u32::MAX - 1);
        for _ in 0..2 {
            assert!(std::panic::catch_unwind(|| next_number(&next)).is_err());
        }
        assert_eq!(next.load(Ordering::Relaxed), u32::MAX);
    }
}
