//! Groups: any number of fibers that are waited for, read and killed together.
//!
//! Invariants:
//! - A handle is kept until its outcome is read. An outcome that is never read is treated like that
//!   of a dropped handle: the fiber runs on, and a panic is reported.
//! - A hook reports the end of each member, whether the group has spawned it or taken it in. So
//!   outcomes come in the order of the ends, and no further fiber has to wait for one.
//! - Spawning runs user code (it clones inherited values), in which the group may be closed, killed
//!   or read: the member counts as running from before the spawn, and a kill is checked for after
//!   it.

mod ending;
mod outcomes;

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use crate::fiber::exit::JoinError;
use crate::pool::completions::{Completions, Handles, Registration};
use crate::pool::permits::{Taking, join_error};
use crate::sched::api::handle::{self, Fiber};
use crate::sched::api::join::JoinHandle;
use crate::sched::api::spawn::Builder;
use crate::sched::lowlevel::{Interrupt, OnDeadlock, WaitReason, current_fiber};

pub use self::outcomes::Outcomes;

static NEXT: WaitReason =
    WaitReason::new("waiting for the next member of a group to end", OnDeadlock::Fail);

/// Fibers that are waited for together, and whose outcomes are read as they end.
///
/// Clones are handles to the same group. Members may spawn further members. Dropping the last
/// handle detaches the members, as dropping a [`JoinHandle`] does; see [`scope`](crate::scope) for
/// fibers that must not outlive their parent.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// # fibra::Runtime::builder().virtual_clock().build()?.run(|| {
/// let naps = fibra::pool::Group::new();
/// for ms in [30, 10, 20] {
///     naps.spawn(move || {
///         fibra::sleep(Duration::from_millis(ms));
///         ms
///     });
/// }
/// assert_eq!(naps.next().unwrap().unwrap(), 10);
/// naps.join().unwrap(); // waits for all
/// assert_eq!(naps.iter().map(Result::unwrap).collect::<Vec<_>>(), [20, 30]);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias("WaitGroup", "nursery"))]
pub struct Group<T> {
    shared: Rc<Shared<T>>,
}

struct Shared<T> {
    completions: Rc<Completions>,
    members: Handles<JoinHandle<T>>,
    taking: Cell<Taking>,
}

impl<T: 'static> Group<T> {
    /// Starts a member. It runs when its turn comes.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber, and if the group was closed, unless the caller is a member.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::pool::Group;
    ///
    /// fibra::run(|| {
    ///     let group = Group::new();
    ///     group.spawn(|| "one");
    ///     group.spawn(|| "two");
    ///     assert_eq!(group.next(), Some(Ok("one")));
    /// });
    /// ```
    #[track_caller]
    pub fn spawn<F>(&self, f: F) -> Fiber
    where
        F: FnOnce() -> T + 'static,
    {
        self.spawn_with(Builder::new(), f)
    }

    /// Starts a member with the name and stack size of `builder`.
    ///
    /// # Panics
    ///
    /// Like [`spawn`](Group::spawn).
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::Builder;
    /// use fibra::pool::Group;
    ///
    /// fibra::run(|| {
    ///     let group = Group::new();
    ///     let fiber = group.spawn_with(Builder::new().name("parser"), || 1);
    ///     assert_eq!(fiber.name().as_deref(), Some("parser"));
    ///     assert_eq!(group.next(), Some(Ok(1)));
    /// });
    /// ```
    #[track_caller]
    pub fn spawn_with<F>(&self, builder: Builder, f: F) -> Fiber
    where
        F: FnOnce() -> T + 'static,
    {
        self.refuse_closed();
        let registration = self.shared.completions.register();
        let handle = builder.spawn(f);
        self.take_in(registration, handle)
    }

    /// Adds an existing fiber. Its outcome is read from the group.
    ///
    /// # Panics
    ///
    /// Like [`spawn`](Group::spawn).
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let group = fibra::pool::Group::new();
    ///     let fiber = group.add(fibra::spawn(|| 6 * 7));
    ///     let (ended, outcome) = group.next_with_fiber().unwrap();
    ///     assert_eq!(ended, fiber);
    ///     assert_eq!(outcome.unwrap(), 42);
    /// });
    /// ```
    #[track_caller]
    pub fn add(&self, handle: JoinHandle<T>) -> Fiber {
        self.refuse_closed();
        self.take_in(self.shared.completions.register(), handle)
    }

    fn take_in(&self, registration: Registration<'_>, handle: JoinHandle<T>) -> Fiber {
        let fiber = handle.fiber().clone();
        self.shared.members.put(registration.key(), handle);
        registration.watch(&fiber);
        if self.shared.taking.get() == Taking::Killed {
            fiber.kill();
        }
        fiber
    }
}

impl<T> Group<T> {
    /// Creates a group without members.
    #[must_use]
    pub fn new() -> Group<T> {
        let taking = Cell::new(Taking::Open);
        Group {
            shared: Rc::new(Shared {
                completions: Completions::new(),
                members: Handles::new(),
                taking,
            }),
        }
    }

    /// Returns the outcome of the member that ended next, in the order of the ends; waits if there
    /// is none yet. Returns `None` if the outcomes of all members were read.
    ///
    /// Each outcome goes to one caller. If no member will ever end, the outcome of the oldest
    /// member is [`JoinError::Deadlock`], and that member leaves the group.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber if it has to wait.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::pool::Group;
    ///
    /// fibra::run(|| {
    ///     let group = Group::new();
    ///     group.spawn(|| 1);
    ///     assert_eq!(group.next(), Some(Ok(1)));
    ///     assert_eq!(group.next(), None); // there are no members any more
    /// });
    /// ```
    #[track_caller]
    pub fn next(&self) -> Option<Result<T, JoinError>> {
        self.next_with_fiber().map(|(_, outcome)| outcome)
    }

    /// Like [`next`](Group::next), with the fiber that the outcome belongs to. An error that is not
    /// the outcome of a member comes with the caller's own fiber.
    ///
    /// # Panics
    ///
    /// Like [`next`](Group::next).
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::pool::Group;
    ///
    /// fibra::run(|| {
    ///     let group = Group::new();
    ///     let fibers = ["Ann", "Bob"].map(|name| group.spawn(move || name));
    ///     let (fiber, outcome) = group.next_with_fiber().unwrap();
    ///     assert_eq!((&fiber, outcome), (&fibers[0], Ok("Ann")));
    /// });
    /// ```
    #[track_caller]
    pub fn next_with_fiber(&self) -> Option<(Fiber, Result<T, JoinError>)> {
        let Shared { completions, members, .. } = &*self.shared;
        loop {
            let ended = match completions.take_ended() {
                Some(key) => Ok(Some(key)),
                None if completions.is_over() => Ok(None),
                None => completions.next_ended(current_fiber(), &NEXT),
            };
            match ended {
                Ok(Some(key)) => {
                    let Some(member) = members.take(key) else { continue };
                    return Some((member.fiber().clone(), member.join()));
                }
                Ok(None) => return None,
                Err(interrupt) => return Some(self.give_up(interrupt)),
            }
        }
    }

    /// Returns an iterator over the outcomes, in the order of [`next`](Group::next). It also ends
    /// after [`JoinError::CallerKilled`], if the caller is killed where a kill cannot unwind.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::pool::Group;
    ///
    /// fibra::run(|| {
    ///     let group = Group::new();
    ///     for n in 1..=3 {
    ///         group.spawn(move || n);
    ///     }
    ///     let outcomes: Result<Vec<u32>, _> = group.iter().collect();
    ///     assert_eq!(outcomes, Ok(vec![1, 2, 3]));
    /// });
    /// ```
    #[must_use]
    pub fn iter(&self) -> Outcomes<'_, T> {
        Outcomes::new(self)
    }

    /// Returns the number of members that run.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::pool::Group;
    ///
    /// fibra::run(|| {
    ///     let group = Group::new();
    ///     group.spawn(|| 1);
    ///     assert_eq!(group.len(), 1);
    ///     group.join().unwrap();
    ///     assert_eq!(group.len(), 0); // its outcome can still be read
    ///     assert_eq!(group.next(), Some(Ok(1)));
    /// });
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.completions.running()
    }

    /// Returns whether no member runs. There may be outcomes that were not read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn is_member(&self) -> bool {
        let current = handle::in_fiber().then(handle::current);
        let is_current = |fiber: &Fiber| Some(fiber) == current.as_ref();
        self.shared.members.each(|_, member| is_current(member.fiber())).contains(&true)
    }

    #[track_caller]
    fn refuse_closed(&self) {
        assert!(
            self.shared.taking.get() != Taking::Closed || self.is_member(),
            "the group was closed by `join` or `close`, after which only members may add to it"
        );
    }

    /// Returns `interrupt` as an outcome: after a deadlock, the oldest member leaves with it.
    #[cold]
    fn give_up(&self, interrupt: Interrupt) -> (Fiber, Result<T, JoinError>) {
        let Shared { completions, members, .. } = &*self.shared;
        let error = join_error(interrupt);
        let candidates = members.each(|key, member| (member.fiber().id(), key));
        let oldest = candidates.into_iter().min_by_key(|&(id, _)| id);
        let leaves = oldest.filter(|_| matches!(error, JoinError::Deadlock(_)));
        let member = leaves.and_then(|(_, key)| {
            completions.remove(key);
            members.take(key)
        });
        match member {
            Some(member) => (member.fiber().clone(), Err(error)),
            None => (handle::current(), Err(error)),
        }
    }
}

impl<T> Clone for Group<T> {
    fn clone(&self) -> Group<T> {
        Group { shared: self.shared.clone() }
    }
}

impl<T> Default for Group<T> {
    fn default() -> Group<T> {
        Group::new()
    }
}

impl<T> fmt::Debug for Group<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group")
            .field("running", &self.len())
            .field("taking", &self.shared.taking.get())
            .finish_non_exhaustive()
    }
}
