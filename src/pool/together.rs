//! Waiting for several fibers at once: for all, for all unless one fails, in the order of their
//! ends, for the first.
//!
//! Invariant: spawning a runner of a race runs user code, in which those that are there already may end.
//! Whether the race is decided is looked at after each spawn.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::iter::FusedIterator;
use std::rc::Rc;

use crate::collections::slot_table::Key;
use crate::fiber::exit::JoinError;
use crate::pool::group::Group;
use crate::pool::places::join_error;
use crate::pool::roll::{Handles, Roll};
use crate::sched::api::handle::{Fiber, tell_of_end};
use crate::sched::api::join::JoinHandle;
use crate::sched::api::scope::{self, Scope};
use crate::sched::core::hooks::EndHook;
use crate::sched::lowlevel::{OnDeadlock, WaitReason, here};

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
/// the other fibers; it is returned when they have ended.
///
/// The first is the first in time, whatever its place. If the caller is killed while it waits the
/// fibers run on, as when their handles are dropped.
///
/// # Errors
///
/// That of the first fiber that has none to give; see [`JoinHandle::join`].
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
                // What went wrong first is what is said.
                let _ = group.join();
                return Err(error);
            }
        }
    }
    Ok(values.into_iter().flatten().collect())
}

/// The outcomes of all fibers, in the order in which they end. Those that have ended already come
/// first, in the order of the handles.
///
/// Dropping the iterator detaches the fibers whose outcomes were not read.
///
/// # Panics
///
/// Panics outside of a fiber if one has not ended.
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

/// The outcomes of some fibers: see [`as_completed`].
pub struct AsCompleted<T> {
    group: Group<T>,
    /// Whether the caller was killed and was told so: each further wait would fail at once.
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

/// Runs all closures, each in a fiber of its own, returns what the first returns, and kills the
/// others: at once, and it waits until they have ended. So the closures may borrow.
///
/// To panic first is to win as well: a race that should go on tells failure by its value.
///
/// # Errors
///
/// What the winner failed with, or [`JoinError::Deadlock`] if none will ever end.
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
    let here = here();
    let runners: Vec<_> = runners.into_iter().collect();
    assert!(!runners.is_empty(), "a race needs somebody who runs, or nobody can win");
    scope::scope(|scope| {
        let _end = EndOfRace(scope);
        let (roll, handles) = (Roll::new(), Handles::new());
        let rivals = Rc::new(Rivals::default());
        for runner in runners {
            if rivals.is_decided() {
                break;
            }
            let enrolled = roll.enrol();
            let handle = scope.spawn(runner);
            let (key, fiber) = (enrolled.key(), handle.fiber().clone());
            handles.put(key, handle);
            enrolled.follow(&fiber);
            Rivals::enter(&rivals, fiber);
        }
        match roll.next_ended(here, &RACE) {
            Ok(winner) => winner.and_then(|key| handles.take(key)).expect("one runs").join(),
            Err(interrupt) => Err(join_error(interrupt)),
        }
    })
}

/// Kills those that run on when the race is left, however it is.
struct EndOfRace<'scope, 'env>(&'scope Scope<'scope, 'env>);

impl Drop for EndOfRace<'_, '_> {
    fn drop(&mut self) {
        self.0.kill();
    }
}

/// The runners. The first that ends kills the others, before any of them can run on.
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
            // Another has won while this one was spawned.
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
