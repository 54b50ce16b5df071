//! Groups: any number of fibers that are waited for, read and killed together.
//!
//! Invariants:
//! - A handle is kept until its outcome is read. What nobody reads is given up as a dropped handle
//!   is: the fiber runs on, and a panic is reported.
//! - A fiber that came with a handle of its own is watched by another, which ends as it does: so
//!   outcomes come in the order of the ends, whoever has spawned the fibers.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::collections::slot_table::Key;
use crate::fiber::exit::JoinError;
use crate::pool::places::{Taking, join_error, kill_all};
use crate::pool::roll::{Handles, Job, Roll};
use crate::sched::handle::{self, Fiber};
use crate::sched::join::JoinHandle;
use crate::sched::lowlevel::{Interrupt, OnDeadlock, WaitReason, deadline_after, here};
use crate::sched::spawn::Builder;

static NEXT: WaitReason =
    WaitReason::new("waiting for the next member of a group to end", OnDeadlock::Fail);
static ALL: WaitReason =
    WaitReason::new("waiting for the members of a group to end", OnDeadlock::Fail);

/// A fiber that only waits for another needs no more.
const WATCHERS_STACK: usize = 16 << 10;

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
    members: Handles<Member<T>>,
    taking: Cell<Taking>,
}

enum Member<T> {
    Own(JoinHandle<T>),
    /// A fiber with a handle of its own, and the one that has that handle.
    Watched(Fiber, JoinHandle<Result<T, JoinError>>),
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
        let mark = self.shared.roll.enrol();
        let (key, job) = (mark.key, Job::new(f, mark));
        let handle = builder.spawn(move || job.run());
        self.take_in(key, Member::Own(handle))
    }

    /// Takes in a fiber that is there already. Its outcome is read from the group.
    ///
    /// A fiber that has not ended yet is watched by one more fiber, which has a stack of 16 KiB;
    /// `spawn` needs none.
    ///
    /// # Panics
    ///
    /// As [`spawn`](Group::spawn).
    #[track_caller]
    pub fn add(&self, handle: JoinHandle<T>) -> Fiber {
        self.refuse_closed();
        let mark = self.shared.roll.enrol();
        let key = mark.key;
        if handle.is_finished() {
            let fiber = self.take_in(key, Member::Own(handle));
            drop(mark);
            return fiber;
        }
        let fiber = handle.fiber().clone();
        let job = Job::new(move || watch(handle), mark);
        // At once, so that it waits before the fiber can end: the order of the ends is exact.
        let watcher = Builder::new().stack_size(WATCHERS_STACK).spawn_now(move || job.run());
        self.take_in(key, Member::Watched(fiber, watcher))
    }

    fn take_in(&self, key: Key, member: Member<T>) -> Fiber {
        let fiber = member.fiber().clone();
        if self.shared.taking.get() == Taking::Killed {
            fiber.kill();
        }
        self.shared.members.put(key, member);
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
                    return Some((member.fiber().clone(), self.read(member)));
                }
                Ok(None) => return None,
                Err(interrupt) => return Some(self.give_up(interrupt)),
            }
        }
    }

    /// An iterator over the outcomes, as [`next`](Group::next) gives them.
    #[must_use]
    pub fn iter(&self) -> Outcomes<'_, T> {
        Outcomes { group: self }
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

    /// The outcome of `member`, whose closure has ended.
    #[track_caller]
    fn read(&self, member: Member<T>) -> Result<T, JoinError> {
        let mut taken = Taken { group: self, member: Some(member) };
        let waited = match &mut taken.member {
            Some(member) => member.wait(),
            None => Ok(()),
        };
        let member = taken.member.take().expect("taken here and nowhere else");
        waited.and_then(|()| member.join())
    }

    /// No member will ever end: the oldest leaves with the error.
    #[cold]
    fn give_up(&self, interrupt: Interrupt) -> (Fiber, Result<T, JoinError>) {
        let Shared { roll, members, .. } = &*self.shared;
        let error = join_error(interrupt);
        let candidates = members.each(|key, member| {
            let fiber = member.fiber();
            // One that was retired has ended, and nobody was told.
            (!fiber.is_finished(), fiber.id(), key)
        });
        let oldest = candidates.into_iter().min_by_key(|&(runs, id, _)| (runs, id));
        let leaves = oldest.filter(|_| matches!(error, JoinError::Deadlock(_)));
        let Some((runs, _, key)) = leaves else { return (handle::current(), Err(error)) };
        let Some(member) = members.take(key) else { return (handle::current(), Err(error)) };
        roll.strike_off(key);
        (member.fiber().clone(), if runs { Err(error) } else { member.join() })
    }
}

/// Waits for the fiber of `handle` and ends as that does.
fn watch<T>(handle: JoinHandle<T>) -> Result<T, JoinError> {
    match handle.join() {
        // If nobody reads it, it is reported like the fiber's own.
        Err(JoinError::Panicked(panic)) => panic.resume(),
        outcome => outcome,
    }
}

/// A member whose outcome is being read: it goes back if that is cut short.
struct Taken<'a, T> {
    group: &'a Group<T>,
    member: Option<Member<T>>,
}

impl<T> Drop for Taken<'_, T> {
    fn drop(&mut self) {
        if let Some(member) = self.member.take() {
            let Shared { roll, members, .. } = &*self.group.shared;
            members.put(roll.put_back(), member);
        }
    }
}

impl<T> Member<T> {
    fn fiber(&self) -> &Fiber {
        match self {
            Member::Own(handle) => handle.fiber(),
            Member::Watched(fiber, _) => fiber,
        }
    }

    #[track_caller]
    fn wait(&mut self) -> Result<(), JoinError> {
        match self {
            Member::Own(handle) => handle.wait(),
            Member::Watched(_, watcher) => watcher.wait(),
        }
    }

    #[track_caller]
    fn join(self) -> Result<T, JoinError> {
        match self {
            Member::Own(handle) => handle.join(),
            Member::Watched(_, watcher) => watcher.join().and_then(|outcome| outcome),
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
}

impl<T> Iterator for Outcomes<'_, T> {
    type Item = Result<T, JoinError>;

    #[track_caller]
    fn next(&mut self) -> Option<Result<T, JoinError>> {
        self.group.next()
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
