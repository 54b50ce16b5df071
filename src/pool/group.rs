//! Groups: any number of fibers that are waited for, read and killed together.
//!
//! Invariants:
//! - A handle is kept until its outcome is read. What nobody reads is given up as a dropped handle
//!   is: the fiber runs on, and a panic is reported.
//! - A member is on the roll, which is told of its end, whatever has spawned it: so outcomes come in the
//!   order of the ends, and no other fiber has to wait for one.
//! - Spawning runs user code (what is inherited is cloned), in which the group may be closed, killed or
//!   read: the member counts as running from before that, and a kill is looked for after it.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::fiber::exit::JoinError;
use crate::pool::places::{Taking, join_error, kill_all};
use crate::pool::roll::{Enrolled, Handles, Roll};
use crate::sched::api::handle::{self, Fiber};
use crate::sched::api::join::JoinHandle;
use crate::sched::api::spawn::Builder;
use crate::sched::lowlevel::{Interrupt, OnDeadlock, WaitReason, deadline_after, here};

static NEXT: WaitReason =
    WaitReason::new("waiting for the next member of a group to end", OnDeadlock::Fail);
static ALL: WaitReason =
    WaitReason::new("waiting for the members of a group to end", OnDeadlock::Fail);

/// Fibers that are waited for together, whose outcomes are read as they end.
///
/// Clones are handles to one group. Members may spawn more members. Dropping the last handle
/// detaches the members, as dropping a [`JoinHandle`] does: for fibers that must not outlive their
/// parent there is [`scope`](crate::scope).
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
pub struct Group<T> {
    shared: Rc<Shared<T>>,
}

struct Shared<T> {
    roll: Rc<Roll>,
    members: Handles<JoinHandle<T>>,
    taking: Cell<Taking>,
}

impl<T: 'static> Group<T> {
    /// Starts a member. It runs when its turn comes.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber, and if the group was closed, unless the caller is a member.
    #[track_caller]
    pub fn spawn<F>(&self, f: F) -> Fiber
    where
        F: FnOnce() -> T + 'static,
    {
        self.spawn_with(Builder::new(), f)
    }

    /// Starts a member with a name or a stack size of its own.
    ///
    /// # Panics
    ///
    /// As [`spawn`](Group::spawn).
    #[track_caller]
    pub fn spawn_with<F>(&self, builder: Builder, f: F) -> Fiber
    where
        F: FnOnce() -> T + 'static,
    {
        self.refuse_closed();
        let enrolled = self.shared.roll.enrol();
        let handle = builder.spawn(f);
        self.take_in(enrolled, handle)
    }

    /// Takes in a fiber that is there already. Its outcome is read from the group.
    ///
    /// # Panics
    ///
    /// As [`spawn`](Group::spawn).
    #[track_caller]
    pub fn add(&self, handle: JoinHandle<T>) -> Fiber {
        self.refuse_closed();
        self.take_in(self.shared.roll.enrol(), handle)
    }

    fn take_in(&self, enrolled: Enrolled<'_>, handle: JoinHandle<T>) -> Fiber {
        let fiber = handle.fiber().clone();
        self.shared.members.put(enrolled.key(), handle);
        enrolled.follow(&fiber);
        if self.shared.taking.get() == Taking::Killed {
            fiber.kill();
        }
        fiber
    }
}

impl<T> Group<T> {
    /// A group without members.
    #[must_use]
    pub fn new() -> Group<T> {
        let taking = Cell::new(Taking::Open);
        Group { shared: Rc::new(Shared { roll: Roll::new(), members: Handles::new(), taking }) }
    }

    /// The outcome of the member that has ended next, in the order in which they end; waits if none
    /// has. None if there is no member whose outcome was not read.
    ///
    /// An outcome goes to one caller. [`JoinError::Deadlock`] is the outcome of the oldest member if
    /// none will ever end; that one has left the group then.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber if it has to wait.
    #[track_caller]
    pub fn next(&self) -> Option<Result<T, JoinError>> {
        self.next_with_fiber().map(|(_, outcome)| outcome)
    }

    /// As [`next`](Group::next), with the fiber whose outcome it is; the caller itself for an error
    /// that is nobody's outcome.
    ///
    /// # Panics
    ///
    /// As [`next`](Group::next).
    #[track_caller]
    pub fn next_with_fiber(&self) -> Option<(Fiber, Result<T, JoinError>)> {
        let Shared { roll, members, .. } = &*self.shared;
        loop {
            let ended = match roll.take_ended() {
                Some(key) => Ok(Some(key)),
                None if roll.is_over() => Ok(None),
                None => roll.next_ended(here(), &NEXT),
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

    /// An iterator over the outcomes, as [`next`](Group::next) gives them. It ends with
    /// [`JoinError::CallerKilled`], too, if the caller is killed where a kill cannot unwind.
    #[must_use]
    pub fn iter(&self) -> Outcomes<'_, T> {
        Outcomes { group: self, killed: false }
    }

    /// Closes the group and waits until no member runs.
    ///
    /// From now on only members may spawn: so an empty group stays empty. The outcomes remain to be
    /// read.
    ///
    /// # Errors
    ///
    /// [`JoinError::Itself`] if the caller is a member, [`JoinError::Deadlock`] if the members
    /// will never end.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn join(&self) -> Result<(), JoinError> {
        let here = here();
        if self.is_member() {
            return Err(JoinError::Itself);
        }
        self.close();
        self.shared.roll.wait_until_idle(here, None, &ALL).map_err(join_error)
    }

    /// As [`join`](Group::join), but waits no longer than `timeout`. Returns whether no member runs
    /// any more; the group is closed in any case.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn join_timeout(&self, timeout: Duration) -> bool {
        let here = here();
        self.close();
        self.shared.roll.wait_until_idle(here, Some(deadline_after(here, timeout)), &ALL).is_ok()
    }

    /// Lets only members spawn from now on: see [`join`](Group::join).
    pub fn close(&self) {
        if self.shared.taking.get() == Taking::Open {
            self.shared.taking.set(Taking::Closed);
        }
    }

    /// Kills all members, and each that comes later before it runs. Does not wait for the ends.
    ///
    /// A member that calls this unwinds at once.
    pub fn kill_all(&self) {
        self.shared.taking.set(Taking::Killed);
        let fibers = self.shared.members.each(|_, member| member.fiber().clone());
        kill_all(fibers, handle::in_fiber().then(handle::current).as_ref());
    }

    /// How many members run.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.roll.running()
    }

    /// Whether no member runs. There may be outcomes to be read.
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

    /// No member will ever end: the oldest leaves with the error.
    #[cold]
    fn give_up(&self, interrupt: Interrupt) -> (Fiber, Result<T, JoinError>) {
        let Shared { roll, members, .. } = &*self.shared;
        let error = join_error(interrupt);
        let candidates = members.each(|key, member| (member.fiber().id(), key));
        let oldest = candidates.into_iter().min_by_key(|&(id, _)| id);
        let leaves = oldest.filter(|_| matches!(error, JoinError::Deadlock(_)));
        let member = leaves.and_then(|(_, key)| {
            roll.strike_off(key);
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

/// The outcomes of a group's members, in the order in which they end.
pub struct Outcomes<'a, T> {
    group: &'a Group<T>,
    /// Whether the caller was killed and was told so: each further wait would fail at once.
    killed: bool,
}

impl<T> Iterator for Outcomes<'_, T> {
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

impl<'a, T> IntoIterator for &'a Group<T> {
    type Item = Result<T, JoinError>;
    type IntoIter = Outcomes<'a, T>;

    fn into_iter(self) -> Outcomes<'a, T> {
        self.iter()
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

impl<T> fmt::Debug for Outcomes<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Outcomes").field(self.group).finish()
    }
}
