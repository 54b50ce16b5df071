//! The loop that runs fibers, on the thread's own stack: ready ones, then deadlines, then idle.
//!
//! ```text
//!   +-> batch: pop, look ahead, resume   (at most BATCH times)
//!   |     |
//!   |   turn: mail from other threads, deadlines, events
//!   |     |
//!   |   anything ready? -- yes --+
//!   |     no                     |
//!   |   a deadline? wait for it, or jump there
//!   |   somebody outside? wait   |
//!   |   else: deadlock           |
//!   +-----+----------------------+
//! ```
//!
//! Invariants:
//! - No user code runs here: closures, results, payloads and destructors run on fibers.
//! - Between two looks at the outside at most LONGEST_BATCH fibers run, so none of them starves
//!   events. Where fibers are slow to yield it is fewer: so many as run in BATCH_MICROS.
//! - The loop returns when the main fiber has ended, which it does last.

#![allow(unsafe_code, reason = "resumes fibers")]

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crate::fiber::current;
use crate::fiber::header::FiberPtr;
use crate::fiber::prefetch;
use crate::fiber::state::{OnDeadlock, State, WaitReason};
use crate::fiber::switch;
use crate::sched::circles::Look;
use crate::sched::clock::{Clock, RealClock};
use crate::sched::end;
use crate::sched::scheduler::Scheduler;
use crate::stack::Stack;

/// Switches between two looks at timers, events and other threads, at most. A power of two.
pub(crate) const LONGEST_BATCH: u64 = 64;

/// How long a batch may last, if that is more than one turn of one fiber.
const BATCH_MICROS: u64 = 500;

/// Operations that a fiber may do in one turn without waiting. Large enough to cost nothing
/// (one yield in 128), small enough that a chatty pair does not hold up the others.
const BUDGET: u32 = 128;

/// In a ring that has never grown to this capacity everything stays in the caches next to the
/// processor, and asking for it only costs. (The capacity is one comparison, the length eight
/// instructions.)
const LOOK_AHEAD_FROM: usize = 1024;

/// Why a fiber that is `New` is not in the ring.
pub(crate) static STARVED: WaitReason =
    WaitReason::new("waiting for the spare stack, to drop its closure", OnDeadlock::Last);

impl Scheduler {
    /// Runs fibers until the main fiber has ended.
    pub(crate) fn run_until_done(&self) {
        let mut turns = 0u32;
        loop {
            self.batch();
            // Before anything else happens: what an event would make now would never run.
            if self.main_ended.get() {
                return;
            }
            turns = turns.wrapping_add(1);
            self.turn(turns);
        }
    }

    /// Runs fibers until the counter of switches reaches a multiple of the batch.
    fn batch(&self) {
        current::here(|here| {
            while let Some(entry) = self.ring(|ring| ring.pop_front()) {
                let fiber = entry.item;
                if fiber.ticket.get() != entry.ticket {
                    self.skip_void(fiber);
                    continue;
                }
                self.look_ahead();
                if fiber.state.get() == State::New && !self.start(fiber) {
                    continue;
                }
                self.switches.set(self.switches.get().wrapping_add(1));
                self.budget.set(BUDGET);
                here.fiber.set(Some(fiber));
                // SAFETY: a valid entry of the ring is a suspended fiber, or one that `start` has
                // just given a context; and this is the thread's own stack.
                let ended = unsafe { switch::resume(fiber) };
                if thread::panicking() {
                    self.note_unwind(fiber);
                }
                if let Some(stack) = ended {
                    // Its record may be freed now, and a signal handler may look.
                    here.fiber.set(None);
                    self.reclaim(fiber, stack);
                }
                if self.switches.get() & self.batch_mask.get() == 0 {
                    break;
                }
            }
            here.fiber.set(None);
        });
    }

    /// Asks the processor for what runs a few turns from now.
    ///
    /// What it is worth depends on the processor: nothing where it looks far enough ahead itself
    /// (on an AMD EPYC a yield among 10,000 fibers takes 18.5 ns either way), and more where it
    /// does not. Try both with `benches/yield_now.rs` before changing it.
    #[inline(always)]
    fn look_ahead(&self) {
        self.ring(|ring| {
            if ring.capacity() < LOOK_AHEAD_FROM {
                return;
            }
            if let Some(later) = ring.peek(8) {
                prefetch::header(later);
            }
            if let Some(soon) = ring.peek(4) {
                prefetch::stack(soon);
            }
        });
    }

    /// Gives a fiber its stack on its first turn. Returns whether it can run now.
    #[inline]
    fn start(&self, fiber: FiberPtr) -> bool {
        let stack = self.pool.borrow_mut().take(fiber.class);
        match stack {
            Ok(stack) => {
                fiber.state.set(State::Runnable);
                // SAFETY: a `New` fiber's context is empty, `root` does not unwind, and the
                // scheduler's reference keeps the fiber until after its end.
                unsafe { switch::create(fiber, stack, end::root) };
                true
            }
            Err(error) => self.start_without_stack(fiber, error),
        }
    }

    /// The spare stack is enough to drop the closure of a fiber that could get none of its own.
    #[cold]
    #[inline(never)]
    fn start_without_stack(&self, fiber: FiberPtr, error: io::Error) -> bool {
        let Some(stack) = self.spare.borrow_mut().take() else {
            fiber.reason.set(&STARVED);
            self.starved.borrow_mut().push_back((fiber, error));
            return false;
        };
        fiber.state.set(State::Runnable);
        fiber.on_spare.set(true);
        fiber.with_extra(|extra| extra.no_stack = Some(error));
        // SAFETY: as in `start`.
        unsafe { switch::create(fiber, stack, end::root) };
        true
    }

    /// Takes the stack of an ended fiber back, and lets its record go.
    #[inline(always)]
    fn reclaim(&self, fiber: FiberPtr, stack: Stack) {
        self.pool.borrow_mut().give(stack);
        if fiber.on_spare.get() {
            self.refill_spare();
        }
        self.dismiss(fiber);
    }

    /// A fiber that ran on the spare stack has ended: it is free for the next.
    #[cold]
    #[inline(never)]
    fn refill_spare(&self) {
        *self.spare.borrow_mut() = self.pool.borrow_mut().take(self.default_class).ok();
        let next = self.starved.borrow_mut().pop_front();
        if let Some((fiber, _)) = next {
            fiber.reason.set(&WaitReason::NOT_STARTED);
            self.ring(|ring| ring.push_back(fiber, fiber.ticket.get()));
        }
    }

    /// Looks at the outside, and waits for it if no fiber can run.
    fn turn(&self, turns: u32) {
        self.heed_kill_request();
        if !self.mailbox.inbox.is_empty() {
            self.open_mail();
        }
        if self.kill_put_off.get() && !thread::panicking() {
            self.wake_put_off();
        }
        let timers = !self.timers.borrow().is_empty();
        // The clock costs as much as three switches: it is read when a deadline may have passed,
        // and once in a while so that dumps can tell how long a fiber has been waiting.
        if timers || turns % 16 == 0 {
            self.fit_batch();
        }
        if timers {
            self.fire_timers();
        }
        // Who waits for events sees those that are there already.
        if self.ring(|ring| ring.stored()) != 0 {
            self.idle.poll();
            if turns % 16 == 0 && self.circles.is_of_interest() {
                self.look_while_busy();
            }
        } else {
            self.wait_for_the_outside();
        }
        self.open_circles();
    }

    /// A thread that never sleeps looks for locks that are never released all the same.
    #[cold]
    fn look_while_busy(&self) {
        if let Look::Now = self.next_look(false) {
            self.look_for_circles(false);
        }
    }

    /// Reads the clock, and learns from it how many fibers a batch may have.
    ///
    /// A fiber that computes for a millisecond between its yields would make a batch of 64 last as
    /// many, and all timers and events wait for it. A batch shrinks at once. It doubles when all of
    /// the ring have had their turn and none was slow.
    #[inline]
    fn fit_batch(&self) {
        let (then, before) = (self.now.get(), self.switches_then.get());
        self.refresh_now();
        let micros = self.now.get().wrapping_sub(then);
        let switches = self.switches.get().wrapping_sub(before);
        if switches == 0 {
            return;
        }
        let fits = switches.saturating_mul(BATCH_MICROS);
        let mask = self.batch_mask.get();
        if fits < micros.saturating_mul(mask + 1) {
            self.batch_mask.set(smaller_batch(fits / micros));
            self.quick_switches.set(0);
        } else if mask != LONGEST_BATCH - 1 {
            self.grow_batch(switches);
        }
    }

    #[cold]
    fn grow_batch(&self, quick: u64) {
        let quick = self.quick_switches.get() + quick;
        // In a longer ring the longest batch is less than a revolution.
        let enough = self.ring(|ring| ring.queued()) as u64;
        let grows = enough.min(LONGEST_BATCH) <= quick;
        self.quick_switches.set(if grows { 0 } else { quick });
        self.batch_mask.set(self.batch_mask.get() << u32::from(grows) | u64::from(grows));
    }

    #[cold]
    #[inline(never)]
    fn wait_for_the_outside(&self) {
        if self.has_watchers() {
            self.idle.poll();
            if self.ring(|ring| ring.stored()) != 0 || self.wake_watcher() {
                return;
            }
        }
        if !self.mailbox.inbox.announce_sleep() {
            return;
        }
        // The exact deadline takes a walk over a list. A clock that cannot jump does as well with
        // a lower bound: it wakes once more and looks again.
        let timers = self.timers.borrow();
        let deadline =
            if self.clock.can_jump() { timers.next_deadline() } else { timers.next_cascade() };
        drop(timers);
        match deadline.map(|at| self.started + Duration::from_micros(at)) {
            None if self.real_waits.get() == 0 && !self.outsiders_may_wake() => {
                self.break_deadlock();
            }
            until => self.sleep_until(until),
        }
        self.mailbox.inbox.announce_awake();
        self.refresh_now();
    }

    /// Sleeps until something happens, at the latest at `until`. If a lock that a fiber waits for turns
    /// out to be held forever, that happens.
    fn sleep_until(&self, until: Option<Instant>) {
        let look = self.next_look(until.is_none());
        if let Look::Now = look {
            let closed = until.is_none()
                && self.real_waits.get() == 0
                && !self.outsiders_may_wake_without_locks();
            if self.look_for_circles(closed) {
                return;
            }
        }
        match (until, look.at()) {
            (Some(at), _) if self.clock.can_jump() => self.jump_or_wait(at),
            (Some(at), Some(look)) => self.idle.wait(Some(at.min(look))),
            (at, look) => self.idle.wait(at.or(look)),
        }
    }

    /// Moves a clock that can jump on to `at`. While a fiber waits for what happens in real time, or for
    /// a lock that another thread holds, the clock goes on as real time does: else each time limit
    /// around such a wait would be over at once.
    fn jump_or_wait(&self, at: Instant) {
        if self.real_waits.get() == 0 && !self.is_kept_from_elsewhere() {
            return self.clock.jump_to(at);
        }
        let (now, began) = (self.clock.now(), RealClock.now());
        self.idle.wait(began.checked_add(at.saturating_duration_since(now)));
        let waited = RealClock.now().saturating_duration_since(began);
        self.clock.jump_to(at.min(now + waited));
    }
}

/// The mask of the largest batch of at most so many switches: a power of two, and not zero.
#[cold]
fn smaller_batch(switches: u64) -> u64 {
    (1 << switches.max(1).ilog2()) - 1
}
