//! Protection for a while: traps, and being atomic.

use std::fmt;
use std::marker::PhantomData;

use crate::fiber::current;
use crate::sched::core::scheduler::{here, scheduler};
use crate::stackless::schedule::getcurrent;
use crate::stackless::state::state;
use crate::stackless::tasklet::{Tasklet, WeakTasklet};

/// Adds `change` to the counter of switch traps of this thread, and returns what it was (S-095).
///
/// While it is not zero this module refuses every switch to another tasklet: calls that return a
/// `Result` fail with `SwitchTrap`, others panic. What does not switch works: transfers that keep
/// the caller running, [`schedule`](crate::stackless::schedule) alone in the ring, `insert`,
/// `remove` and `bind` (S-096). Other parts of fibra are not trapped.
///
/// # Panics
///
/// Panics outside of a fiber.
#[track_caller]
#[allow(clippy::must_use_candidate, reason = "the old value is seldom of interest")]
pub fn switch_trap(change: i32) -> i32 {
    let here = here();
    let counter = &state(&here.sched).switch_trap;
    counter.replace(counter.get().wrapping_add(change))
}

/// Traps switches as long as the result lives: see [`switch_trap`].
///
/// # Panics
///
/// Panics outside of a fiber.
///
/// # Examples
///
/// ```
/// use fibra::stackless;
///
/// fibra::run(|| {
///     let other = stackless::spawn(|| {});
///     let trapped = stackless::switch_trapped();
///     assert!(other.run().is_err());
///     drop(trapped);
///     other.run().unwrap();
/// });
/// ```
#[track_caller]
pub fn switch_trapped() -> SwitchTrapGuard {
    switch_trap(1);
    SwitchTrapGuard { scheduler: here().sched.id, of_this_thread: PhantomData }
}

/// Ends a [`switch_trapped`] when it is dropped.
#[must_use = "it traps switches as long as it lives"]
#[derive(Debug)]
pub struct SwitchTrapGuard {
    scheduler: u32,
    of_this_thread: PhantomData<*const ()>,
}

impl Drop for SwitchTrapGuard {
    fn drop(&mut self) {
        if let Some(sched) = scheduler().filter(|sched| sched.id == self.scheduler) {
            let counter = &state(&sched).switch_trap;
            counter.set(counter.get().wrapping_sub(1));
        }
    }
}

/// Protects the current tasklet from being [interrupted](crate::stackless::Run) as long as the
/// result lives (S-100). It can still switch by itself.
///
/// # Panics
///
/// Panics outside of a fiber.
#[track_caller]
pub fn atomic() -> AtomicGuard {
    let tasklet = getcurrent();
    let before = tasklet.set_atomic(true);
    AtomicGuard { tasklet: tasklet.downgrade(), before }
}

/// Restores what [`atomic`] has changed when it is dropped.
#[must_use = "it protects as long as it lives"]
pub struct AtomicGuard {
    // Weak: it lies on the tasklet's own stack, and must not keep that from being killed.
    tasklet: WeakTasklet,
    before: bool,
}

impl Drop for AtomicGuard {
    fn drop(&mut self) {
        if let Some(tasklet) = self.tasklet.upgrade() {
            tasklet.set_atomic(self.before);
        }
    }
}

/// Sets the current tasklet's [block trap](Tasklet::set_block_trap) as long as the result lives.
///
/// # Panics
///
/// Panics outside of a fiber.
#[track_caller]
pub fn block_trap(trap: bool) -> BlockTrapGuard {
    let tasklet = getcurrent();
    let before = tasklet.set_block_trap(trap);
    BlockTrapGuard { tasklet: tasklet.downgrade(), before }
}

/// Restores what [`block_trap`] has changed when it is dropped.
#[must_use = "it sets the trap as long as it lives"]
pub struct BlockTrapGuard {
    // Weak: it lies on the tasklet's own stack, and must not keep that from being killed.
    tasklet: WeakTasklet,
    before: bool,
}

impl Drop for BlockTrapGuard {
    fn drop(&mut self) {
        if let Some(tasklet) = self.tasklet.upgrade() {
            tasklet.set_block_trap(self.before);
        }
    }
}

impl fmt::Debug for AtomicGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtomicGuard").field("before", &self.before).finish_non_exhaustive()
    }
}

impl fmt::Debug for BlockTrapGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockTrapGuard").field("before", &self.before).finish_non_exhaustive()
    }
}

impl Tasklet {
    /// Protects it from being [interrupted](crate::stackless::Run), or ends that. Returns the old
    /// value (S-097).
    ///
    /// Ending it lets an interrupt come that was put off meanwhile, if the tasklet is the one that
    /// runs now (S-098).
    #[track_caller]
    #[allow(clippy::must_use_candidate, reason = "the old value is seldom of interest")]
    pub fn set_atomic(&self, atomic: bool) -> bool {
        let before = self.record().atomic.replace(atomic);
        if !atomic && current::fiber().is_some() && self.is_current() {
            let here = here();
            state(&here.sched).watchdog.deliver_pending(here, self.record());
        }
        before
    }
}
