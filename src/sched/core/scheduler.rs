//! The scheduler of one thread: what it owns, and the one door in.
//!
//! Invariants:
//! - One scheduler a thread, for the time of one `run`. It is reached through
//!   [`current`](crate::fiber::current) and by no other thread.
//! - No user code runs while one of its parts is borrowed: values are taken out, the borrow ends,
//!   then they are used.
//! - A fiber in the ring is `New` or `Runnable`, is in it once (by its ticket), and is alive: the
//!   scheduler's own reference is given up after the fiber has ended.

#![allow(unsafe_code, reason = "the run ring is reached without a borrow flag")]

use std::cell::{Cell, OnceCell, RefCell, UnsafeCell};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::ops::Deref;
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use crate::collections::run_ring::RunRing;
use crate::collections::slot_table::SlotTable;
use crate::collections::timing_wheel::TimingWheel;
use crate::fiber::current;
use crate::fiber::header::{FiberPtr, FiberRef, Header};
use crate::fiber::id::FiberId;
use crate::fiber::report;
use crate::fiber::snapshot::Deadlock;
use crate::fiber::state::State;
use crate::sched::core::facade::Facade;
use crate::sched::core::run_loop::LONGEST_BATCH;
use crate::sched::deadlock::circles::Circles;
use crate::sched::deadlock::witness::Witnesses;
use crate::sched::futures::task_timers::Armed;
use crate::sched::shared::kill_request::KillRequest;
use crate::sched::shared::mailbox::Mailbox;
use crate::sched::shared::registry;
use crate::sched::tasklet::watchers::Watcher;
use crate::sched::threads::outside::ListedWait;
use crate::sched::time::clock::Clock;
use crate::sched::time::idle::Idle;
use crate::sched::time::timers::Alarm;
use crate::stack::{Pool, SizeClass, Stack};

/// Everything that one thread needs to run fibers. The order of the fields is deliberate.
#[repr(C)]
pub(crate) struct Scheduler {
    // -- touched by every switch ------------------------------------------------------------
    ring: UnsafeCell<RunRing<FiberPtr>>,
    /// Operations that the running fiber may still do without giving way.
    pub(crate) budget: Cell<u32>,
    pub(crate) switches: Cell<u64>,
    /// A batch ends when these bits of `switches` are zero.
    pub(crate) batch_mask: Cell<u64>,
    /// The fiber whose wait was the last event, or none if a fiber's end was.
    pub(crate) last_parked: Cell<Option<FiberPtr>>,
    /// The clock as read in the last turns, in milliseconds since `started`; it may wrap.
    pub(crate) now_ms: Cell<u32>,
    /// Its number, which no other scheduler of the process ever has.
    pub(crate) id: u32,

    // -- touched by spawn and end -----------------------------------------------------------
    pub(crate) next_number: Cell<u64>,
    /// Fibers that have neither ended nor been retired, main included.
    pub(crate) live: Cell<usize>,
    /// `run` is ending: fibers spawned from now on are killed at once.
    pub(crate) closing: Cell<bool>,
    pub(crate) main_ended: Cell<bool>,
    /// `run` was called by a destructor while its thread unwound: std cannot tell then whether a
    /// fiber unwinds too, so none is unwound.
    pub(crate) in_unwind: Cell<bool>,
    /// A kill could not be raised because some fiber unwound.
    pub(crate) kill_put_off: Cell<bool>,
    /// The last switch after which the thread unwound, and the fiber that began it: see `unwinding`.
    pub(crate) unwound_at: Cell<u64>,
    pub(crate) unwinder: Cell<Option<FiberId>>,
    /// The stack of fibers that ask for none.
    pub(crate) default_class: SizeClass,
    pub(crate) table: RefCell<SlotTable<FiberPtr>>,
    pub(crate) pool: RefCell<Pool>,

    // -- the rest ---------------------------------------------------------------------------
    /// The clock as read in the last turns, in microseconds since `started`.
    pub(crate) now: Cell<u64>,
    /// How many switches there had been when the clock was read.
    pub(crate) switches_then: Cell<u64>,
    /// Switches in batches that were quick, since one that was not or since the batch grew.
    pub(crate) quick_switches: Cell<u64>,
    pub(crate) main: Cell<Option<FiberPtr>>,
    /// The stack of the main fiber.
    pub(crate) main_class: SizeClass,
    pub(crate) exit_code: Cell<Option<i32>>,
    /// Where a signal handler asks for the end of the main fiber, if one may.
    pub(crate) kill_request: OnceCell<Arc<KillRequest>>,
    pub(crate) timers: RefCell<TimingWheel<Alarm>>,
    pub(crate) clock: Box<dyn Clock>,
    pub(crate) started: Instant,
    pub(crate) idle: Box<dyn Idle>,
    pub(crate) mailbox: Arc<Mailbox>,
    /// Timers of futures.
    pub(crate) task_timers: RefCell<SlotTable<Armed>>,
    /// What other threads may wake.
    pub(crate) witnesses: RefCell<Witnesses>,
    /// When to look for locks that are never released.
    pub(crate) circles: Circles,
    /// The waits that other threads may complete.
    pub(crate) outside: RefCell<SlotTable<ListedWait>>,
    /// Parked fibers whose wait the world ends, in real time.
    pub(crate) real_waits: Cell<usize>,
    /// The fiber whose wait failed in the last deadlock, and the count of switches then.
    pub(crate) last_victim: Cell<(Option<FiberId>, u64)>,
    /// A fiber that is to meet the end of a time limit although the thread unwinds, and the count of
    /// switches when it runs for that.
    pub(crate) forced: Cell<Option<(FiberId, u64)>>,
    /// What the wait that was chosen to fail fails with.
    pub(crate) deadlock: RefCell<Option<Box<Deadlock>>>,
    /// A stack kept back for dropping what belongs to fibers that could get none.
    pub(crate) spare: RefCell<Option<Stack>>,
    /// Fibers that could get no stack and wait for the spare one.
    pub(crate) starved: RefCell<VecDeque<(FiberPtr, io::Error)>>,
    /// Fibers in a `select!` over something that other threads share.
    pub(crate) shared_choices: Cell<usize>,
    pub(crate) spawned: Cell<u64>,
    pub(crate) retired: Cell<usize>,
    /// Those who wait until no fiber can run, the innermost last.
    pub(crate) watchers: RefCell<Vec<Watcher>>,
    /// What `stackless/` keeps for this scheduler.
    pub(crate) tasklets: OnceCell<Box<dyn Facade>>,
}

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
        let mut pool = Pool::new();
        let spare = pool.take(default_class)?;
        let mailbox = Arc::new(Mailbox::new(idle.waker()));
        // Nothing fails from here on: what is enrolled leaves when it is dropped.
        Ok(Scheduler {
            ring: UnsafeCell::new(RunRing::new()),
            budget: Cell::new(0),
            last_parked: Cell::new(None),
            now_ms: Cell::new(0),
            now: Cell::new(0),
            switches_then: Cell::new(0),
            quick_switches: Cell::new(0),
            pool: RefCell::new(pool),
            table: RefCell::new(SlotTable::new()),
            next_number: Cell::new(1),
            live: Cell::new(0),
            closing: Cell::new(false),
            in_unwind: Cell::new(false),
            kill_put_off: Cell::new(false),
            unwound_at: Cell::new(u64::MAX / 2),
            unwinder: Cell::new(None),
            default_class,
            id,
            main: Cell::new(None),
            main_class: SizeClass::MAIN,
            main_ended: Cell::new(false),
            exit_code: Cell::new(None),
            kill_request: OnceCell::new(),
            timers: RefCell::new(TimingWheel::new(0)),
            started: clock.now(),
            clock,
            idle,
            task_timers: RefCell::new(SlotTable::new()),
            witnesses: RefCell::new(Witnesses::new()),
            circles: Circles::new(registry::enrol(id, &mailbox)),
            mailbox,
            outside: RefCell::new(SlotTable::new()),
            real_waits: Cell::new(0),
            last_victim: Cell::new((None, 0)),
            forced: Cell::new(None),
            deadlock: RefCell::new(None),
            spare: RefCell::new(Some(spare)),
            starved: RefCell::new(VecDeque::new()),
            switches: Cell::new(0),
            shared_choices: Cell::new(0),
            batch_mask: Cell::new(LONGEST_BATCH - 1),
            spawned: Cell::new(0),
            retired: Cell::new(0),
            watchers: RefCell::new(Vec::new()),
            tasklets: OnceCell::new(),
        })
    }

    /// Runs `f` on the ring. `f` does ring operations only.
    #[inline(always)]
    pub(crate) fn ring<R>(&self, f: impl FnOnce(&mut RunRing<FiberPtr>) -> R) -> R {
        // SAFETY: the reference is exclusive while `f` runs: the scheduler is reached by one
        // thread, this is the only access to the ring, and no `f` in this crate calls anything
        // that could come back here (ring operations, and reading a fiber's ticket).
        f(unsafe { &mut *self.ring.get() })
    }

    /// The next fiber's identity.
    #[inline(always)]
    pub(crate) fn next_id(&self) -> FiberId {
        let number = self.next_number.get();
        self.next_number.set(number + 1);
        FiberId { scheduler: self.id, number }
    }

    /// Takes a new fiber in. It is in the ring only after `enqueue`.
    #[inline(always)]
    pub(crate) fn admit(&self, fiber: FiberRef) -> FiberPtr {
        let fiber = fiber.into_ptr();
        fiber.key.set(self.table.borrow_mut().insert(fiber));
        self.live.set(self.live.get() + 1);
        if self.closing.get() {
            fiber.killed.set(true);
        }
        fiber
    }

    /// Lets the scheduler's reference to an ended fiber go.
    #[inline(always)]
    pub(crate) fn dismiss(&self, fiber: FiberPtr) {
        self.table.borrow_mut().remove(fiber.key.get());
        // SAFETY: `admit` kept the reference that came with the fiber, and a fiber ends once.
        drop(unsafe { fiber.into_ref() });
    }

    /// Puts a parked fiber back into the ring, behind all others. The one door in.
    ///
    /// A fiber that is not parked stays where it is: it was woken for another reason (a deadline,
    /// a kill), and will look at its own wait when it runs.
    #[inline(always)]
    pub(crate) fn make_ready(&self, fiber: FiberPtr) {
        if fiber.state.get() != State::Parked {
            return;
        }
        self.expect_own(&fiber);
        fiber.state.set(State::Runnable);
        self.ring(|ring| ring.push_back(fiber, fiber.ticket.get()));
    }

    /// As [`make_ready`](Scheduler::make_ready), but the fiber runs next.
    #[inline(always)]
    pub(crate) fn make_ready_next(&self, fiber: FiberPtr) {
        if fiber.state.get() != State::Parked {
            return;
        }
        self.expect_own(&fiber);
        fiber.state.set(State::Runnable);
        self.ring(|ring| ring.push_front(fiber, fiber.ticket.get()));
    }

    /// Ends the process if `fiber` is another scheduler's. Handles stay on their thread and a thread has
    /// one scheduler at a time, by whose end its fibers have ended or were retired: so a handle from an
    /// earlier `run` reaches nothing that could be made ready. If that were wrong, a stack would go on
    /// after what it borrows is gone.
    #[inline(always)]
    pub(crate) fn expect_own(&self, fiber: &Header) {
        if fiber.scheduler_id() != self.id {
            of_another_scheduler(fiber);
        }
    }

    /// Microseconds since the scheduler's start, for deadlines: rounded up, so that nothing fires
    /// early.
    pub(crate) fn micros_at(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.started);
        // Not by way of `as_nanos`: a division of 128 bits takes as long as reading the clock.
        let rest = u64::from(since.subsec_nanos().div_ceil(1000));
        since.as_secs().saturating_mul(1_000_000).saturating_add(rest)
    }

    /// Reads the clock into `now`.
    pub(crate) fn refresh_now(&self) {
        let since = self.clock.now().saturating_duration_since(self.started);
        self.switches_then.set(self.switches.get());
        let micros = u64::from(since.subsec_micros());
        self.now.set(since.as_secs().saturating_mul(1_000_000).saturating_add(micros));
        #[allow(clippy::cast_possible_truncation, reason = "ages are differences: it may wrap")]
        self.now_ms.set(since.as_millis() as u32);
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        registry::leave(self.id);
        self.leak_wakers();
        // Handles of other threads may keep the mailbox for long. No payload is left in it.
        self.mailbox.inbox.abandon();
        // A stack that is merely dropped is leaked.
        if let Some(spare) = self.spare.get_mut().take() {
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
pub(crate) struct Here {
    pub(crate) fiber: FiberPtr,
    pub(crate) sched: SchedulerPtr,
}

/// A pointer to this thread's scheduler, which is alive for as long as fibers run.
#[derive(Copy, Clone)]
pub(crate) struct SchedulerPtr(NonNull<Scheduler>);

impl Deref for SchedulerPtr {
    type Target = Scheduler;

    #[inline(always)]
    fn deref(&self) -> &Scheduler {
        // SAFETY: made by `here` and `scheduler` only, for code that runs on a fiber or in the run
        // loop of this very scheduler: `run` drops it after the last of them has ended.
        unsafe { self.0.as_ref() }
    }
}

/// The running fiber and its scheduler.
///
/// # Panics
///
/// Panics outside of a fiber.
#[inline(always)]
#[track_caller]
pub(crate) fn here() -> Here {
    let (fiber, sched) = current::here(|here| (here.fiber.get(), here.scheduler.get()));
    let Some(fiber) = fiber else { outside_of_a_fiber(Location::caller()) };
    // SAFETY: a fiber runs on this thread, so the run loop has set the scheduler's address.
    let sched = SchedulerPtr(unsafe { NonNull::new_unchecked(sched.cast_mut().cast()) });
    Here { fiber, sched }
}

/// As [`here`], but none outside of a fiber.
#[inline(always)]
pub(crate) fn try_here() -> Option<Here> {
    current::fiber().map(|_| here())
}

/// The scheduler of this thread, if it has one.
#[inline(always)]
pub(crate) fn scheduler() -> Option<SchedulerPtr> {
    NonNull::new(current::here(|here| here.scheduler.get()).cast_mut().cast()).map(SchedulerPtr)
}

#[cold]
#[inline(never)]
fn of_another_scheduler(fiber: &Header) -> ! {
    report::say(format_args!(
        "fiber {} was reached from another scheduler, which is a defect of fibra: aborting",
        fiber.id()
    ));
    std::process::abort()
}

#[cold]
#[inline(never)]
fn outside_of_a_fiber(location: &'static Location<'static>) -> ! {
    panic!(
        "the call at {location} works only inside a fiber, and this thread runs none: wrap the \
         program in `fibra::run(|| ...)`"
    )
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
