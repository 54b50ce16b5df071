//! One batch: the loop that resumes fibers, on the thread's own stack.
//!
//! Invariants:
//! - No user code runs here: closures, results, payloads and destructors run on fibers.
//! - A batch ends when the number of switches reaches a multiple of the batch, or the ring is empty.
//!   What happens between two batches is [`turn`](crate::sched::turn).

#![allow(unsafe_code, reason = "resumes fibers")]

use std::io;
use std::thread;

use crate::fiber::current::ThreadState;
use crate::fiber::header::FiberPtr;
use crate::fiber::prefetch;
use crate::fiber::state::State;
use crate::fiber::switch;
use crate::sched::core::end;
use crate::sched::core::scheduler::Scheduler;
use crate::stack::Stack;

/// Operations that a fiber may do in one turn without waiting. Large enough to cost nothing
/// (one yield in 128), small enough that a chatty pair does not hold up the others.
const BUDGET: u32 = 128;

/// In a ring that has never grown to this capacity everything stays in the caches next to the
/// processor, and asking for it only costs. (The capacity is one comparison, the length eight
/// instructions.)
const LOOK_AHEAD_FROM: usize = 1024;

impl Scheduler {
    /// Runs fibers until the counter of switches reaches a multiple of the batch.
    pub(crate) fn batch(&self) {
        ThreadState::with(|thread| {
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
                if self.switches.get() & self.batch_mask.get() == 0 {
                    break;
                }
            }
            thread.fiber.set(None);
        });
    }

    /// Notes that `fiber`, which has just left the thread, has left it unwinding, if it has.
    #[inline(always)]
    fn note_if_unwinding(&self, fiber: FiberPtr) {
        if thread::panicking() {
            self.note_unwind(fiber);
        }
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
        let Some(stack) = self.spare.take_for(fiber, error) else { return false };
        fiber.state.set(State::Runnable);
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
        self.batch_mask.set(self.pace.fit(self.batch_mask.get(), switches, micros, queued));
    }
}
