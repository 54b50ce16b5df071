//! Fibers that borrow from their parent: `scope`, which waits for them, and `nursery`, in which
//! the first failure ends the others.
//!
//! Invariants:
//! - [`open`] returns or unwinds only when every child has ended, even after a panic of the body, a
//!   kill, a deadlock, or while a fiber unwinds. It first catches every panic of the body, then
//!   waits in a wait that cannot be interrupted, then raises the panic again. This makes the
//!   borrows sound.

#![allow(unsafe_code, reason = "passes borrows to fibers that end before the scope does")]

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::panic::{self, AssertUnwindSafe};

use crate::fiber::cancel;
use crate::fiber::snapshot::Deadlock;
use crate::fiber::state::{OnDeadlock, WaitReason};
use crate::sched::api::spawn::Builder;
use crate::sched::core::carry;
use crate::sched::core::children::Children;
use crate::sched::core::end::{self, AbortOnUnwind};
use crate::sched::core::interrupt;
use crate::sched::core::leave;
use crate::sched::core::scheduler::{CurrentFiber, current_fiber};
use crate::sched::core::unwinding;

pub use crate::sched::api::scoped_join::ScopedJoinHandle;

static SCOPE_EXIT: WaitReason =
    WaitReason::new("waiting for the fibers of its scope to end", OnDeadlock::KillChildren);

/// Opens a scope whose fibers may borrow from the caller, and waits for all of them.
///
/// The contract is that of [`std::thread::scope`]: fibers that were not joined are joined before
/// this returns; if one of them panicked, that panic is raised again here (std raises a new one).
/// A panic of `f` itself is raised after all fibers have ended. If the caller is killed, so are
/// its fibers, and the caller unwinds once they have ended.
///
/// # Panics
///
/// Panics outside of a fiber, and if a fiber panicked that was not joined. If the fibers can never
/// end, kills them and panics with a report.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let words = vec![String::from("green"), String::from("threads")];
///     let lengths = fibra::scope(|s| {
///         let counts: Vec<_> = words.iter().map(|word| s.spawn(|| word.len())).collect();
///         counts.into_iter().map(|count| count.join().unwrap()).sum::<usize>()
///     });
///     assert_eq!(lengths, 12);
/// });
/// ```
#[track_caller]
#[doc(alias("nursery", "TaskGroup"))]
pub fn scope<'env, F, T>(f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    open(false, f)
}

/// Opens a scope in which the first panic of a fiber kills the other fibers and ends the body.
///
/// Like [`scope`] otherwise. The panic is raised again once all fibers have ended. The body is
/// unwound from its next wait, as if it were killed, but that unwind ends here.
///
/// # Panics
///
/// Panics outside of a fiber, and with the panic of the first fiber that failed. If the fibers can
/// never end, kills them and panics with a report.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// fibra::run(|| {
///     let failed = std::panic::catch_unwind(|| {
///         fibra::nursery(|n| {
///             n.spawn(|| fibra::sleep(Duration::from_secs(3600))); // killed
///             n.spawn(|| panic!("out of milk"));
///         })
///     });
///     assert_eq!(failed.unwrap_err().downcast_ref(), Some(&"out of milk"));
/// });
/// ```
#[track_caller]
#[doc(alias = "TaskGroup")]
pub fn nursery<'env, F, T>(f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    open(true, f)
}

/// A scope for fibers that borrow: see [`scope`] and [`nursery`].
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let mut counts = [0, 0];
///     fibra::scope(|s| {
///         for (i, count) in counts.iter_mut().enumerate() {
///             s.spawn(move || *count = i + 1); // borrows from the caller
///         }
///     });
///     assert_eq!(counts, [1, 2]);
/// });
/// ```
pub struct Scope<'scope, 'env: 'scope> {
    children: Children,
    // Invariant in both lifetimes, like std's: with a shorter 'scope a fiber could borrow a value
    // that is dropped before the scope is left.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

impl<'scope> Scope<'scope, '_> {
    /// Starts a fiber in this scope, like [`spawn`](crate::spawn).
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let words = ["green", "threads"];
    ///     let total: usize = fibra::scope(|s| {
    ///         let lengths = words.each_ref().map(|word| s.spawn(|| word.len()));
    ///         lengths.into_iter().map(|length| length.join().unwrap()).sum()
    ///     });
    ///     assert_eq!(total, 12);
    /// });
    /// ```
    #[track_caller]
    pub fn spawn<F, T>(&'scope self, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + 'scope,
        T: 'scope,
    {
        self.spawn_with(Builder::new(), f)
    }

    /// Starts a fiber in this scope with a name or a stack size of its own.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let name = fibra::scope(|s| {
    ///         let builder = fibra::Builder::new().name("reader").stack_size(64 << 10);
    ///         s.spawn_with(builder, || fibra::current().name()).join().unwrap()
    ///     });
    ///     assert_eq!(name.as_deref(), Some("reader"));
    /// });
    /// ```
    #[track_caller]
    pub fn spawn_with<F, T>(&'scope self, builder: Builder, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + 'scope,
        T: 'scope,
    {
        // SAFETY: everything that `F` and `T` borrow outlives 'scope, and `open` neither returns
        // nor unwinds before every child has ended. If a child never ends, `open` waits forever or
        // the process is aborted.
        let handle = unsafe { builder.queue(Some(&self.children), f) };
        ScopedJoinHandle::new(handle)
    }

    /// Starts a fiber in this scope and runs it immediately, like [`spawn_now`](crate::spawn_now).
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[inline(always)]
    #[track_caller]
    pub fn spawn_now<F, T>(&'scope self, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + 'scope,
        T: 'scope,
    {
        // SAFETY: like in `spawn_with`.
        let handle = unsafe { Builder::new().run_first(Some(&self.children), f) };
        ScopedJoinHandle::new(handle)
    }

    /// Kills all fibers of the scope that have not ended.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     fibra::scope(|s| {
    ///         s.spawn(fibra::park); // would wait forever
    ///         s.kill();
    ///     });
    /// });
    /// ```
    pub fn kill(&self) {
        if let Some(sched) = crate::sched::core::scheduler::scheduler() {
            self.children.kill_all(&sched);
        }
    }

    /// Returns the number of fibers of the scope that have not ended.
    #[must_use]
    pub fn running(&self) -> usize {
        self.children.running.get()
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("running", &self.running()).finish_non_exhaustive()
    }
}

type Caught<T> = Result<T, Box<dyn Any + Send>>;

#[track_caller]
fn open<'env, F, T>(fail_fast: bool, f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    let current = current_fiber();
    carry::refuse_at_door(current, "the exit of a scope");
    let children = Children::new(current.fiber, fail_fast);
    let scope = Scope { children, scope: PhantomData, env: PhantomData };
    let body = || cancel::within(current.fiber, &scope.children.body, || f(&scope));
    let result = panic::catch_unwind(AssertUnwindSafe(body));
    let in_wait = AbortOnUnwind("the exit of a scope");
    let deadlock = wait_for_children(current, &scope.children, result.is_err());
    mem::forget(in_wait);
    leave(current, &scope.children, result, deadlock)
}

/// Waits until all children have ended. It neither returns earlier nor unwinds.
#[track_caller]
fn wait_for_children(
    current: CurrentFiber,
    children: &Children,
    body_failed: bool,
) -> Option<Box<Deadlock>> {
    let CurrentFiber { fiber, sched } = current;
    if body_failed && (children.fail_fast || interrupt::is_due(current)) {
        children.kill_all(&sched);
    }
    let mut deadlock = None;
    children.awaited.set(true);
    while children.running.get() != 0 {
        if !fiber.signals.get().is_none() {
            if carry::go_away(current, &SCOPE_EXIT) {
                continue;
            }
            // A kill or a deadlock is passed on to the children; this fiber only waits for their
            // end.
            deadlock = interrupt::at_scope_exit(current).or(deadlock);
            // While a fiber unwinds, a destructor may have opened this scope. Then the work of its
            // children is clean-up, which a kill does not interrupt.
            let is_due = interrupt::is_due(current);
            if deadlock.is_some() || is_due {
                children.kill_all(&sched);
                children.cut_short.set(children.cut_short.get() || is_due);
                if is_due && unwinding::is_put_off(&sched) {
                    children.ended_in_unwind.set(true);
                    fiber.children_killed.set(true);
                }
            }
        }
        leave::leave(current, &SCOPE_EXIT);
    }
    children.awaited.set(false);
    interrupt::wait_completed(fiber);
    deadlock
}

/// Leaves a scope all of whose children have ended: raises the failure again, if there was one, or
/// returns the body's result.
#[track_caller]
fn leave<T>(
    current: CurrentFiber,
    children: &Children,
    result: Caught<T>,
    deadlock: Option<Box<Deadlock>>,
) -> T {
    let childs = children.take_panic();
    match result {
        // An unwind that ends at this very scope carries no news: the child's failure is raised.
        Err(payload) if !cancel::ends_at(&children.body, &current.fiber, &*payload) => {
            if let Some(second) = childs {
                // Reported and dropped now and not by the unwind, because its destructor may panic.
                let scope_of = end::describe(&current.fiber);
                end::report_lost(
                    format_args!("a fiber in a scope of {scope_of} panicked and was not joined"),
                    second,
                );
            }
            panic::resume_unwind(payload)
        }
        result => {
            if let Some(payload) = childs {
                panic::resume_unwind(payload);
            }
            if let Some(report) = deadlock {
                panic!("{report}");
            }
            if children.cut_short.get() {
                // The kill ended the children before their work was done: it is raised here.
                if children.ended_in_unwind.get() {
                    interrupt::force(current.fiber, current.sched.switches.get(), &current.sched);
                }
                interrupt::checkpoint(current);
            }
            result.unwrap_or_else(|_| panic!("a fiber of the nursery failed, and was joined"))
        }
    }
}
