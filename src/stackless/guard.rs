//! Guards: switch traps, block traps, and atomic sections.

use std::fmt;
use std::marker::PhantomData;

use crate::fiber::current;
use crate::sched::core::scheduler::{current_fiber, scheduler};
use crate::stackless::schedule::getcurrent;
use crate::stackless::state::state;
use crate::stackless::tasklet::{Tasklet, WeakTasklet};

/// Adds `change` to the counter of switch traps of this thread. Returns the old value.
///
/// While the counter is not zero, this module refuses every switch to another tasklet: calls that
/// return a `Result` fail with `SwitchTrap`, others panic. Calls that do not switch work: channel
/// exchanges after which the caller keeps running, [`schedule`](crate::stackless::schedule) if no
/// other tasklet is in the run ring, `insert`, `remove` and `bind`. Other parts of fibra are not
/// trapped.
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
///     stackless::switch_trap(1);
///     assert!(other.run().is_err()); // this would switch
///     assert_eq!(stackless::switch_trap(-1), 1);
///     other.run().unwrap();
/// });
/// ```
#[track_caller]
#[allow(clippy::must_use_candidate, reason = "the old value is seldom of interest")]
pub fn switch_trap(change: i32) -> i32 {
    let current = current_fiber();
    let counter = &state(&current.sched).switch_trap;
    counter.replace(counter.get().wrapping_add(change))
}

/// Traps switches until the guard is dropped: see [`switch_trap`].
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
    SwitchTrapGuard { scheduler: current_fiber().sched.id, of_this_thread: PhantomData }
}

/// The guard of a [`switch_trapped`], which ends when it is dropped.
///
/// # Examples
///
/// ```
/// use fibra::stackless;
///
/// fibra::run(|| {
///     let guard = stackless::switch_trapped();
///     assert!(stackless::spawn(|| ()).run().is_err()); // would switch
///     drop(guard);
///     stackless::run();
/// });
/// ```
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

/// Protects the current tasklet from being [interrupted](crate::stackless::Run) until the guard is
/// dropped. The tasklet can still switch by itself.
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
///     let guard = stackless::atomic();
///     assert!(stackless::getcurrent().atomic());
///     drop(guard);
///     assert!(!stackless::getcurrent().atomic());
/// });
/// ```
#[track_caller]
pub fn atomic() -> AtomicGuard {
    let tasklet = getcurrent();
    let before = tasklet.set_atomic(true);
    AtomicGuard { tasklet: tasklet.downgrade(), before }
}

/// The guard of an [`atomic`] section, which restores the old setting when it is dropped.
///
/// # Examples
///
/// ```
/// use fibra::stackless;
///
/// fibra::run(|| {
///     let guard = stackless::atomic();
///     assert!(stackless::getcurrent().atomic());
///     drop(guard); // restores the setting
///     assert!(!stackless::getcurrent().atomic());
/// });
/// ```
#[must_use = "it protects as long as it lives"]
pub struct AtomicGuard {
    // Weak, because it is on the tasklet's own stack, and must not keep the tasklet from being
    // killed.
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

/// Sets the current tasklet's [block trap](Tasklet::set_block_trap) until the guard is dropped.
///
/// # Panics
///
/// Panics outside of a fiber.
///
/// # Examples
///
/// ```
/// use fibra::stackless::{self, Channel};
///
/// fibra::run(|| {
///     let _trapped = stackless::block_trap(true);
///     assert!(Channel::<u32>::new().receive().is_err()); // this would block
/// });
/// ```
#[track_caller]
pub fn block_trap(trap: bool) -> BlockTrapGuard {
    let tasklet = getcurrent();
    let before = tasklet.set_block_trap(trap);
    BlockTrapGuard { tasklet: tasklet.downgrade(), before }
}

/// The guard of a [`block_trap`], which restores the old setting when it is dropped.
///
/// # Examples
///
/// ```
/// use fibra::stackless::{self, Channel, ChannelError};
///
/// fibra::run(|| {
///     let guard = stackless::block_trap(true);
///     assert_eq!(Channel::<u32>::new().receive().unwrap_err(), ChannelError::BlockTrap);
///     drop(guard); // restores the setting
/// });
/// ```
#[must_use = "it sets the trap as long as it lives"]
pub struct BlockTrapGuard {
    // Weak, because it is on the tasklet's own stack, and must not keep the tasklet from being
    // killed.
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
    /// Sets whether the tasklet is protected from being [interrupted](crate::stackless::Run).
    /// Returns the old value.
    ///
    /// If the current tasklet ends its own protection, an interrupt that was put off meanwhile
    /// happens now.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless::{self, Run};
    ///
    /// fibra::run(|| {
    ///     let tasklet = stackless::spawn(|| (0..1_000).for_each(|_| stackless::tick()));
    ///     tasklet.set_atomic(true);
    ///     assert_eq!(Run::new().ticks(10).run(), None); // it was not interrupted
    ///     assert!(!tasklet.is_alive());
    /// });
    /// ```
    #[track_caller]
    #[allow(clippy::must_use_candidate, reason = "the old value is seldom of interest")]
    pub fn set_atomic(&self, atomic: bool) -> bool {
        let before = self.record().atomic.replace(atomic);
        if !atomic && current::fiber().is_some() && self.is_current() {
            let current = current_fiber();
            state(&current.sched).time_slice.deliver_pending(current, self.record());
        }
        before
    }
}
