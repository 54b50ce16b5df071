//! One batch of the run loop, which resumes fibers on the thread's own stack.
//!
//! Invariants:
//! - No user code runs here: closures, results, payloads and destructors run on fibers.
//! - A batch ends when the number of switches reaches a multiple of the batch, or the ring is
//!   empty. What happens between two batches is [`turn`](crate::sched::turn). A few times per batch
//!   the loop looks for mail, and also ends the batch if there is some.

#![allow(unsafe_code, reason = "resumes fibers")]

use std::io;
use std::thread;

use crate::fiber::current::ThreadState;
use crate::fiber::header::FiberPtr;
use crate::fiber::prefetch;
use crate::fiber::state::{FirstTurn, State};
use crate::fiber::switch;
use crate::sched::core::end;
use crate::sched::core::scheduler::Scheduler;
use crate::stack::Stack;

/// The number of operations that a fiber may do without waiting before it yields. It is large
/// enough that the yields cost nothing measurable (one in 128 operations), and small enough that
/// two fibers that serve each other do not hold up the others.
const BUDGET: u32 = 128;

/// The capacity of the ring from which on the records of coming fibers are prefetched. In a ring
/// that has never grown to it, all of them stay in the caches next to the processor, and a prefetch
/// only costs. (Asking for the capacity is one comparison, asking for the length eight
/// instructions.)
const LOOK_AHEAD_FROM: usize = 1024;

impl Scheduler {
    /// Runs fibers until the counter of switches reaches a multiple of the batch, or until it finds
    /// mail.
    pub(crate) fn batch(&self) {
        ThreadState::with(|thread| {
            loop {
                let Some(entry) = self.ring(|ring| ring.pop_front()) else {
                    if self.start_work(true) {
                        continue;
                    }
                    break;
                };
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
                thread.fiber.set(Some(fiber));
                // SAFETY: a valid entry of the ring is a suspended fiber, or one that `start` has
                // just given a context; and this is the thread's own stack.
                let ended = unsafe { switch::resume(fiber) };
                // Each branch asks whether the thread unwinds. If that were asked once, before the
                // branch, the two ways out of the switch would join there: the compiler would store
                // which of them was taken, and test it afterwards, in each switch.
                match ended {
                    None => self.note_if_unwinding(fiber),
                    Some(stack) => {
                        // Before `reclaim`, which may free the record.
                        self.note_if_unwinding(fiber);
                        // Before `reclaim` too: a signal handler follows this pointer.
                        thread.fiber.set(None);
                        self.reclaim(fiber, stack);
                    }
                }
                if self.switches.get() & self.look_mask.get() == 0 && self.batch_ends() {
                    break;
                }
            }
            thread.fiber.set(None);
        });
    }

    /// Returns whether the number of switches is a multiple of the batch, or there is mail.
    #[inline(never)]
    fn batch_ends(&self) -> bool {
        let is_mail_first = || self.pace.mail_may_precede(self.switches.get());
        self.is_batch_over() || !self.mailbox.inbox.is_empty() && is_mail_first()
    }

    /// Returns whether the number of switches is a multiple of the batch.
    pub(crate) fn is_batch_over(&self) -> bool {
        self.switches.get() & self.batch_mask.get() == 0
    }

    /// Records the unwind, if the thread unwinds now that `fiber` has left it.
    #[inline(always)]
    fn note_if_unwinding(&self, fiber: FiberPtr) {
        if thread::panicking() {
            self.note_unwind(fiber);
        }
    }

    /// Prefetches the record and the stack of fibers that run a few switches from now.
    ///
    /// The gain depends on the processor, and a line that is not needed costs about as much as one
    /// that is. On an AMD EPYC, one line of the record and three of the stack in place of two and
    /// four take a seventh off a yield among 10,000 fibers; larger distances change nothing.
    /// Measure with `benches/yield_now.rs` and `benches/burst.rs`, and with fibers that wake in
    /// random order, before changing it.
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

    /// Gives a fiber its stack, at its first turn. Returns whether it can run now.
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

    /// Puts a fiber that could get no stack of its own on the spare stack, to drop its closure.
    /// Returns whether the spare stack was free.
    #[cold]
    #[inline(never)]
    fn start_without_stack(&self, fiber: FiberPtr, error: io::Error) -> bool {
        let Some(stack) = self.spare.take_for(fiber, error) else { return false };
        fiber.state.set(State::Runnable);
        // SAFETY: like in `start`.
        unsafe { switch::create(fiber, stack, end::root) };
        true
    }

    /// Gives the stack of a fiber that has ended back to the pool, and drops the scheduler's
    /// reference to its record.
    #[inline(always)]
    fn reclaim(&self, fiber: FiberPtr, stack: Stack) {
        self.pool.borrow_mut().give(stack);
        if fiber.first_turn.get().has(FirstTurn::ON_SPARE) {
            self.refill_spare();
        }
        self.dismiss(fiber);
    }

    /// Takes a new spare stack, because the fiber that ran on the last one has ended, and queues
    /// the next fiber that waits for it.
    #[cold]
    #[inline(never)]
    fn refill_spare(&self) {
        *self.spare.stack.borrow_mut() = self.pool.borrow_mut().take(self.default_class).ok();
        if let Some(fiber) = self.spare.next() {
            self.ring(|ring| ring.push_back(fiber, fiber.ticket.get()));
        }
    }

    /// Reads the clock, and adjusts the length of the batches to it.
    #[inline]
    pub(crate) fn fit_batch(&self) {
        let then = self.time.now.get();
        let switches = self.refresh_now();
        let micros = self.time.now.get().wrapping_sub(then);
        let queued = || self.ring(|ring| ring.queued());
        self.set_batch_mask(self.pace.fit(self.batch_mask.get(), switches, micros, queued));
    }
}
