//! Waiting for several fibers: for all, for all unless one fails, in the order of their ends, or
//! for the first.
//!
//! Invariant: spawning a runner of a race runs user code, during which earlier runners may end. So
//! the code checks after each spawn whether the race is decided.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::iter::FusedIterator;
use std::rc::Rc;

use crate::collections::slot_table::Key;
use crate::fiber::exit::JoinError;
use crate::pool::completions::{Completions, Handles};
use crate::pool::group::Group;
use crate::pool::permits::join_error;
use crate::sched::api::handle::Fiber;
use crate::sched::api::handle::tell_of_end;
use crate::sched::api::join::JoinHandle;
use crate::sched::api::scope::{self, Scope};
use crate::sched::core::hooks::EndHook;
use crate::sched::lowlevel::{OnDeadlock, WaitReason, current_fiber};

static RACE: WaitReason = WaitReason::new("waiting for the winner of a race", OnDeadlock::Fail);

/// Joins all fibers and returns their outcomes, in the order of the handles.
///
/// # Panics
///
/// Panics outside of a fiber if one has not ended.
///
/// # Examples
///
/// ```
/// use fibra::pool::join_all;
///
/// fibra::run(|| {
///     let outcomes = join_all((1..=3).map(|n| fibra::spawn(move || 10 / n)));
///     assert_eq!(outcomes.into_iter().map(Result::unwrap).sum::<u32>(), 18);
/// });
/// ```
#[track_caller]
#[doc(alias("gather", "join"))]
pub fn join_all<T, I>(handles: I) -> Vec<Result<T, JoinError>>
where
    I: IntoIterator<Item = JoinHandle<T>>,
{
    let handles: Vec<_> = handles.into_iter().collect();
    let mut outcomes = Vec::with_capacity(handles.len());
    for handle in handles {
        outcomes.push(handle.join());
    }
    outcomes
}

/// Joins all fibers and returns their values, in the order of the handles. The first failure kills
/// the other fibers, and is returned when they have ended.
///
/// The first failure is the first in time, not in the order of the handles. If the caller is killed
/// while it waits, the fibers run on, as if their handles had been dropped.
///
/// # Errors
///
/// Returns the error of the first fiber that failed; see [`JoinHandle::join`].
///
/// # Panics
///
/// Panics outside of a fiber if one has not ended.
///
/// # Examples
///
/// ```
/// use fibra::pool::try_join_all;
/// use std::time::Duration;
///
/// fibra::run(|| {
///     let sleeper = fibra::spawn(|| fibra::sleep(Duration::from_secs(3600))); // killed
///     let error = try_join_all([sleeper, fibra::spawn(|| panic!("no"))]).unwrap_err();
///     assert_eq!(error.to_string(), "the fiber panicked: no");
/// });
/// ```
#[track_caller]
pub fn try_join_all<T, I>(handles: I) -> Result<Vec<T>, JoinError>
where
    T: 'static,
    I: IntoIterator<Item = JoinHandle<T>>,
{
    let handles: Vec<_> = handles.into_iter().collect();
    let mut values: Vec<Option<T>> = handles.iter().map(|_| None).collect();
    let group = Group::new();
    let ids = handles.into_iter().map(|handle| group.add(handle).id());
    let index: HashMap<_, _> = ids.zip(0..).collect();
    while let Some((fiber, outcome)) = group.next_with_fiber() {
        match outcome {
            Ok(value) => values[index[&fiber.id()]] = Some(value),
            Err(error) => {
                group.kill_all();
                // The error that is returned is the first one.
                let _ = group.join();
                return Err(error);
            }
        }
    }
    Ok(values.into_iter().flatten().collect())
}

/// Returns an iterator over the outcomes of all fibers, in the order in which they end. Fibers that
/// have already ended come first, in the order of the handles.
///
/// Dropping the iterator detaches the fibers whose outcomes were not read.
///
/// # Panics
///
/// The iterator panics outside of a fiber if it has to wait.
///
/// # Examples
///
/// ```
/// use fibra::pool::as_completed;
/// use std::time::Duration;
///
/// # fibra::Runtime::builder().virtual_clock().build()?.run(|| {
/// let naps = [30, 10, 20].map(|ms| {
///     fibra::spawn(move || {
///         fibra::sleep(Duration::from_millis(ms));
///         ms
///     })
/// });
/// let order: Vec<_> = as_completed(naps).map(Result::unwrap).collect();
/// assert_eq!(order, [10, 20, 30]);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn as_completed<T, I>(handles: I) -> AsCompleted<T>
where
    T: 'static,
    I: IntoIterator<Item = JoinHandle<T>>,
{
    let handles: Vec<_> = handles.into_iter().collect();
    let group = Group::new();
    for handle in handles {
        group.add(handle);
    }
    AsCompleted { group, killed: false }
}

/// An iterator over the outcomes of fibers, created by [`as_completed`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fibra::pool::as_completed;
///
/// # fibra::Runtime::builder().virtual_clock().build()?.run(|| {
/// let naps = [3, 1, 2].map(|seconds| {
///     fibra::spawn(move || {
///         fibra::sleep(Duration::from_secs(seconds));
///         seconds
///     })
/// });
/// let order: Vec<_> = as_completed(naps).map(Result::unwrap).collect();
/// assert_eq!(order, [1, 2, 3]);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct AsCompleted<T> {
    group: Group<T>,
    /// Whether `CallerKilled` was returned: each further wait would fail immediately.
    killed: bool,
}

impl<T> Iterator for AsCompleted<T> {
    type Item = Result<T, JoinError>;

    #[track_caller]
    fn next(&mut self) -> Option<Result<T, JoinError>> {
        if self.killed {
            return None;
        }
        let outcome = self.group.next();
        self.killed = matches!(outcome, Some(Err(JoinError::CallerKilled)));
        outcome
    }
}

impl<T> FusedIterator for AsCompleted<T> {}

impl<T> fmt::Debug for AsCompleted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsCompleted").field(&self.group).finish()
    }
}

/// Runs all closures, each in a fiber of its own, and returns the output of the first that ends. It
/// kills the others immediately and waits until they have ended, so the closures may borrow.
///
/// A closure that panics first wins as well: return an error instead if the race should go on.
///
/// # Errors
///
/// Returns the error of the winner, or [`JoinError::Deadlock`] if no closure will ever end.
///
/// # Panics
///
/// Panics if there is no closure, and outside of a fiber.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// # fibra::Runtime::builder().virtual_clock().build()?.run(|| {
/// let mirrors = [("slow", 300), ("quick", 20), ("far", 900)];
/// let fetches = mirrors.map(|(name, ms)| {
///     move || {
///         fibra::sleep(Duration::from_millis(ms));
///         name
///     }
/// });
/// assert_eq!(fibra::pool::race(fetches).unwrap(), "quick");
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn race<T, I>(runners: I) -> Result<T, JoinError>
where
    I: IntoIterator,
    I::Item: FnOnce() -> T,
{
    let current = current_fiber();
    let runners: Vec<_> = runners.into_iter().collect();
    assert!(!runners.is_empty(), "a race of no closures has no winner: pass at least one");
    scope::scope(|scope| {
        let _end = EndOfRace(scope);
        let (completions, handles) = (Completions::new(), Handles::new());
        let rivals = Rc::new(Rivals::default());
        for runner in runners {
            if rivals.is_decided() {
                break;
            }
            let registration = completions.register();
            let handle = scope.spawn(runner);
            let (key, fiber) = (registration.key(), handle.fiber().clone());
            handles.put(key, handle);
            registration.watch(&fiber);
            Rivals::enter(&rivals, fiber);
        }
        match completions.next_ended(current, &RACE) {
            Ok(winner) => winner.and_then(|key| handles.take(key)).expect("one runs").join(),
            Err(interrupt) => Err(join_error(interrupt)),
        }
    })
}

/// Kills the runners that are left when the race is left, by a return or an unwind.
struct EndOfRace<'scope, 'env>(&'scope Scope<'scope, 'env>);

impl Drop for EndOfRace<'_, '_> {
    fn drop(&mut self) {
        self.0.kill();
    }
}

/// The runners. The first that ends kills the others before any of them can run again.
#[derive(Debug, Default)]
struct Rivals {
    field: RefCell<Vec<Fiber>>,
    decided: Cell<bool>,
}

impl Rivals {
    fn is_decided(&self) -> bool {
        self.decided.get()
    }

    fn enter(this: &Rc<Rivals>, fiber: Fiber) {
        if this.is_decided() {
            // Another runner has won while this one was spawned.
            return fiber.kill();
        }
        this.field.borrow_mut().push(fiber.clone());
        tell_of_end(&fiber, this.clone(), Key::from_bits(0));
    }
}

impl EndHook for Rivals {
    fn ended(&self, _winner: Key) {
        self.decided.set(true);
        // The winner has ended: a kill does nothing to it.
        self.field.take().iter().for_each(Fiber::kill);
    }
}
