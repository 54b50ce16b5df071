//! Work that is done once, while other callers wait for it.
//!
//! ```text
//!            call                 it returned
//!   [open] --------> [ owner ] ----------------> [DONE]      all waits end
//!      ^                 | it panicked, failed or was killed
//!      +-----------------+                                  the first waiting caller is next
//! ```
//!
//! Invariants:
//! - The word changes under the lock of the queue. `DONE` is final, and is read without the lock.
//! - A waiter that is served finds either `DONE`, or itself as the owner: then it is its turn.

use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::sched::lowlevel::{Needs, OnDeadlock, Owner, WaitOutcome, WaitReason};
use crate::sync::queue::Queue;
use crate::sync::task::{Grants, TaskWait};
use crate::sync::waiter::{Site, Waiter, count_operation, locked, wait, wake_all};

static WAITING: WaitReason =
    WaitReason::new("waiting for a Once", OnDeadlock::Panic).ended_by_outsiders();

const OPEN: u64 = 0;
/// Is not the value of any owner: owners leave this bit clear.
const DONE: u64 = 1;

/// Runs a closure once, like [`std::sync::Once`]; other callers wait until it is done.
///
/// There is no poisoning. If the closure panics, or its fiber is killed, it does not count: the
/// first waiting caller, or else the next caller, runs its own closure.
///
/// # Examples
///
/// ```
/// use fibra::sync::Once;
///
/// static SET_UP: Once = Once::new();
///
/// fibra::run(|| {
///     let others: Vec<_> = (0..3)
///         .map(|_| fibra::spawn(|| SET_UP.call_once(|| println!("once"))))
///         .collect();
///     others.into_iter().for_each(|other| other.join().unwrap());
///     assert!(SET_UP.is_completed());
/// });
/// ```
pub struct Once {
    word: AtomicU64,
    queue: Mutex<Queue<Role>>,
}

/// The role of a waiter.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) enum Role {
    /// Has a closure to run when it is its turn.
    Caller,
    /// Only waits until the work is done.
    Watcher,
}

impl Once {
    /// Creates a `Once` whose work is not done.
    #[must_use]
    pub const fn new() -> Once {
        Once { word: AtomicU64::new(OPEN), queue: Mutex::new(Queue::new()) }
    }

    /// Returns whether the work is done.
    #[inline]
    #[must_use]
    pub fn is_completed(&self) -> bool {
        self.word.load(Ordering::Acquire) == DONE
    }

    /// Calls `f` if no closure has completed or is running; otherwise waits until one has
    /// completed.
    ///
    /// # Panics
    ///
    /// Panics with the panic of `f`; if `f` calls this for the same `Once`; and with a report if
    /// the wait can never end.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::sync::Once;
    ///
    /// static START: Once = Once::new();
    ///
    /// for _ in 0..2 {
    ///     START.call_once(|| println!("printed once"));
    /// }
    /// assert!(START.is_completed());
    /// ```
    #[inline]
    #[track_caller]
    pub fn call_once(&self, f: impl FnOnce()) {
        count_operation();
        if !self.is_completed() {
            let done: Result<(), Never> = self.call(|| {
                f();
                Ok(())
            });
            done.unwrap_or_else(|never| match never {});
        }
    }

    /// Waits until another caller has done the work.
    ///
    /// # Panics
    ///
    /// Panics with a report if the wait can never end.
    #[track_caller]
    pub fn wait(&self) {
        count_operation();
        if !self.is_completed() {
            let queue = locked(&self.queue);
            if self.word.load(Ordering::Relaxed) != DONE {
                self.wait_in_line(queue, Role::Watcher);
            }
        }
    }

    /// Waits, in a task, until another caller has done the work: see
    /// [`sync::futures`](crate::sync::futures). The wait begins with the first poll.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::sync::Once;
    ///
    /// static SET_UP: Once = Once::new();
    ///
    /// let task = std::thread::spawn(|| fibra::future::block_on(SET_UP.wait_async()));
    /// SET_UP.call_once(|| ());
    /// task.join().unwrap();
    /// ```
    pub async fn wait_async(&self) {
        let mut wait = TaskWait::new(self, Role::Watcher);
        poll_fn(|cx| wait.poll(cx).map(drop)).await;
    }

    /// Waits, in a task, until it is its turn, and returns that; or until the work is done.
    pub(super) async fn turn_async(&self) -> Option<Turn<'_>> {
        let mut wait = TaskWait::new(self, Role::Caller);
        poll_fn(|cx| wait.poll(cx).map(drop)).await;
        (!self.is_completed()).then(|| Turn { once: self, is_done: false })
    }

    /// Like `call_once`, but the work is done only if `f` succeeds.
    #[cold]
    #[track_caller]
    pub(super) fn call<E>(&self, f: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        if !self.take_turn() {
            return Ok(());
        }
        let mut turn = Turn { once: self, is_done: false };
        f()?;
        turn.is_done = true;
        Ok(())
    }

    /// Waits until it is the caller's turn, and returns true; or until the work is done, and
    /// returns false.
    #[track_caller]
    fn take_turn(&self) -> bool {
        let (me, queue) = (Owner::me(), locked(&self.queue));
        match self.word.load(Ordering::Relaxed) {
            DONE => return false,
            OPEN => {
                self.word.store(me.bits(), Ordering::Relaxed);
                return true;
            }
            owner if owner == me.bits() => {
                drop(queue);
                panic!("the closure of a `Once` called the same `Once`, and would wait for itself");
            }
            _ => self.wait_in_line(queue, Role::Caller),
        }
        self.word.load(Ordering::Acquire) == me.bits()
    }

    #[track_caller]
    fn wait_in_line(&self, mut queue: MutexGuard<'_, Queue<Role>>, role: Role) {
        let waiter = Arc::new(Waiter::new(role));
        queue.push(waiter.clone());
        drop(queue);
        if let Err(interrupt) = wait(self, &waiter, None, &WAITING) {
            interrupt.into_panic();
        }
    }

    /// Marks the work as done, and ends all waits.
    #[cold]
    fn finish(&self) {
        let mut queue = locked(&self.queue);
        self.word.store(DONE, Ordering::Release);
        let served = queue.claim_all(WaitOutcome::Served);
        drop(queue);
        wake_all(&served);
    }

    /// Gives the turn to the first waiting caller, if there is one.
    #[cold]
    fn pass_on(&self) {
        let mut queue = locked(&self.queue);
        let mut watchers = Vec::new();
        let mut next = None;
        while let Some(first) = queue.pop() {
            if first.extra == Role::Watcher {
                watchers.push(first);
                continue;
            }
            self.word.store(first.owner().bits(), Ordering::Relaxed);
            if first.claim(WaitOutcome::Served) {
                next = Some(first);
                break;
            }
        }
        if next.is_none() {
            self.word.store(OPEN, Ordering::Release);
        }
        queue.push_front(watchers);
        drop(queue);
        next.into_iter().for_each(|next| next.wake());
    }
}

/// The turn of the caller that does the work.
pub(super) struct Turn<'a> {
    once: &'a Once,
    pub(super) is_done: bool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.is_done { self.once.finish() } else { self.once.pass_on() }
    }
}

/// The error of a closure that cannot fail.
pub(super) enum Never {}

impl Grants for Once {
    fn grant(&self, _: Role) -> bool {
        self.is_completed()
    }

    fn queue_task(&self, waiter: &Arc<Waiter<Role>>) -> Option<WaitOutcome> {
        let mut queue = locked(&self.queue);
        match self.word.load(Ordering::Relaxed) {
            DONE => return Some(WaitOutcome::Served),
            OPEN if waiter.extra == Role::Caller => {
                self.word.store(Owner::TASK.bits(), Ordering::Relaxed);
                return Some(WaitOutcome::Served);
            }
            _ => queue.push(waiter.clone()),
        }
        None
    }

    /// Passes the turn of a caller on. A waiter that was served because the work is done has none.
    fn give_back(&self, role: Role) {
        if role == Role::Caller && !self.is_completed() {
            self.pass_on();
        }
    }
}

impl Site for Once {
    type Extra = Role;

    const IS_LOCK: bool = true;

    fn withdraw(&self, waiter: &Waiter<Role>) -> bool {
        locked(&self.queue).withdraw(waiter)
    }

    fn needs(&self, waiter: &Waiter<Role>) -> Option<Needs> {
        let _queue = locked(&self.queue);
        match self.word.load(Ordering::Relaxed) {
            _ if !waiter.waits() => None,
            OPEN | DONE => None,
            owner => Some(Needs::one(Owner::of_bits(owner))),
        }
    }
}

impl Default for Once {
    fn default() -> Once {
        Once::new()
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").field("is_completed", &self.is_completed()).finish_non_exhaustive()
    }
}
