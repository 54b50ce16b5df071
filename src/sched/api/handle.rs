//! The public handle to a fiber, and what can be done to one from outside.

use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use crate::collections::slot_table::Key;
use crate::fiber::header::{FiberPtr, FiberRef};
use crate::fiber::id::FiberId;
use crate::fiber::snapshot::Activity;
use crate::fiber::state::State;
use crate::sched::core::end;
use crate::sched::core::hooks::{self, EndHook};
use crate::sched::core::scheduler::{current_fiber, scheduler};
use crate::sched::threads::remote::{self, Unparker};

/// A handle to a fiber, of the same thread.
///
/// It keeps the fiber's record and not its stack: a handle to a fiber that has ended, or whose
/// `run` is over, reads as finished and does nothing. It is neither `Send` nor `Sync`; other
/// threads hold an [`Unparker`].
///
/// ```compile_fail
/// fn send<T: Send>() {}
/// send::<fibra::Fiber>();
/// ```
#[derive(Clone)]
#[doc(alias("coroutine", "green thread", "Task", "thread"))]
pub struct Fiber {
    fiber: FiberRef,
}

impl Fiber {
    pub(crate) fn new(fiber: FiberRef) -> Fiber {
        Fiber { fiber }
    }

    /// The record, which is alive as long as the handle is.
    #[inline(always)]
    pub(crate) fn record(&self) -> FiberPtr {
        self.fiber.ptr()
    }

    /// Returns its identity, which no other fiber of the process ever has.
    #[must_use]
    pub fn id(&self) -> FiberId {
        self.fiber.id()
    }

    /// Returns its name, if it was given one. The text is shared and not copied.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let parser = fibra::Builder::new().name("parser").spawn(|| ());
    ///     assert_eq!(parser.fiber().name().as_deref(), Some("parser"));
    ///     assert_eq!(fibra::current().name().as_deref(), Some("main"));
    /// });
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<Arc<str>> {
        self.fiber.peek_extra(|extra| extra.name.clone()).flatten()
    }

    /// Returns what it is doing, and `None` if it has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::Activity;
    ///
    /// fibra::run(|| {
    ///     let child = fibra::spawn(fibra::park);
    ///     assert_eq!(child.fiber().activity(), Some(Activity::NotStarted));
    ///     fibra::yield_now();
    ///     assert_eq!(child.fiber().activity(), Some(Activity::Waiting("parked")));
    ///     child.fiber().unpark();
    ///     fibra::yield_now();
    ///     assert_eq!(child.fiber().activity(), None);
    /// });
    /// ```
    #[must_use]
    pub fn activity(&self) -> Option<Activity> {
        Activity::of(&self.fiber)
    }

    /// Returns whether it has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(self.fiber.state.get(), State::Finished | State::Abandoned)
    }

    /// Lets its present [`park`](crate::park) return, or its next one if it is not in one.
    ///
    /// It disturbs no other wait: a fiber that waits for a message goes on waiting, and will find
    /// the unpark at its next `park`.
    #[inline]
    pub fn unpark(&self) {
        if let (false, Some(sched)) = (self.is_finished(), scheduler()) {
            sched.unpark(self.fiber.ptr());
        }
    }

    /// Takes it out of the ring: it does not run until [`resume`](Fiber::resume) is called, or it
    /// is killed. Returns whether it could have run; one that waits, or runs now, is not paused.
    ///
    /// This is Stackless' `remove` (S-035). Pausing and resuming is O(1).
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let later = fibra::spawn(|| println!("second"));
    ///     fibra::spawn(|| println!("first"));
    ///     later.fiber().pause();
    ///     fibra::yield_now();
    ///     later.fiber().resume();
    ///     later.join().unwrap();
    /// });
    /// ```
    pub fn pause(&self) -> bool {
        scheduler().is_some_and(|sched| !self.is_finished() && sched.pause(self.fiber.ptr()))
    }

    /// Puts a paused fiber at the end of the ring (S-032). Returns whether it was paused.
    pub fn resume(&self) -> bool {
        scheduler().is_some_and(|sched| !self.is_finished() && sched.unpause(self.fiber.ptr()))
    }

    /// Asks it to end: its stack is unwound from where it waits, and its destructors run.
    ///
    /// A kill is a level and not an edge. Code that catches the unwind meets it again at its next
    /// wait. It is not met inside [`shield`](crate::shield), nor while the fiber unwinds, nor by a
    /// wait that has already been given what it waited for. A fiber that has not run yet never
    /// calls its closure. A fiber that kills itself unwinds at once.
    ///
    /// This returns without waiting for the end: [`JoinHandle::join`](crate::JoinHandle::join)
    /// does that.
    ///
    /// Under `panic = "abort"` nothing can be unwound: waits that return a `Result` fail with
    /// `Killed`, others go on.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let fiber = fibra::spawn(|| loop {
    ///         fibra::park();
    ///     });
    ///     fibra::yield_now();
    ///     fiber.kill();
    ///     assert!(fiber.join().unwrap_err().is_killed());
    /// });
    /// ```
    pub fn kill(&self) {
        if let (false, Some(sched)) = (self.is_finished(), scheduler()) {
            sched.kill(self.fiber.ptr());
        }
    }

    /// As [`kill`](Fiber::kill), and says why: in the error of whoever joins the fiber, and in what is
    /// reported of it. Of several reasons the first stays.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let worker = fibra::spawn(fibra::park);
    ///     worker.fiber().kill_with("the queue is empty");
    ///     let error = worker.join().unwrap_err();
    ///     assert_eq!(error.to_string(), "the fiber was killed: the queue is empty");
    /// });
    /// ```
    pub fn kill_with(&self, reason: impl Into<Cow<'static, str>>) {
        if self.is_finished() {
            return;
        }
        let reason = reason.into();
        let _rejected = self.fiber.with_extra(|extra| match &extra.kill_reason {
            Some(_) => Some(reason),
            None => extra.kill_reason.replace(reason),
        });
        self.kill();
    }

    /// Why the fiber was killed, if it was and a reason was given. Clean-up may ask this of
    /// [`current`].
    #[must_use]
    pub fn kill_reason(&self) -> Option<Cow<'static, str>> {
        self.fiber.peek_extra(|extra| extra.kill_reason.clone()).flatten()
    }

    /// A handle with which any thread can unpark it.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[must_use]
    #[track_caller]
    pub fn unparker(&self) -> Unparker {
        remote::unparker(self.fiber.ptr())
    }
}

impl PartialEq for Fiber {
    fn eq(&self, other: &Fiber) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Fiber {}

impl fmt::Debug for Fiber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fiber")
            .field("id", &self.id())
            .field("name", &self.name())
            .field("activity", &self.activity())
            .finish()
    }
}

impl fmt::Display for Fiber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&end::describe(&self.fiber))
    }
}

/// The fiber that runs now.
///
/// # Panics
///
/// Panics outside of a fiber.
#[must_use]
#[inline]
#[track_caller]
pub fn current() -> Fiber {
    Fiber { fiber: current_fiber().fiber.to_ref() }
}

/// Whether the caller is a fiber, so that it may wait.
#[must_use]
pub fn in_fiber() -> bool {
    crate::fiber::current::fiber().is_some()
}

/// Calls `to` with `key` when `fiber` has ended: immediately if it has ended already.
pub(crate) fn tell_of_end(fiber: &Fiber, to: Rc<dyn EndHook>, key: Key) {
    hooks::tell_of_end(&fiber.fiber, to, key);
}
