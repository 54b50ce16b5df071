//! The public handle to a fiber, and the operations on a fiber from outside.

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

/// A handle to a fiber of the same thread.
///
/// It keeps the fiber's header alive and not its stack: a handle to a fiber that has ended, or
/// whose `run` is over, reports it as finished and does nothing. It is neither `Send` nor `Sync`;
/// other threads hold an [`Unparker`].
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let handle = fibra::spawn(fibra::park);
///     let fiber: fibra::Fiber = handle.fiber().clone();
///     fibra::yield_now();
///     assert!(!fiber.is_finished());
///     fiber.unpark();
///     handle.join().unwrap();
///     assert!(fiber.is_finished());
/// });
/// ```
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

    /// Returns the fiber's header, which is alive as long as this handle.
    #[inline(always)]
    pub(crate) fn record(&self) -> FiberPtr {
        self.fiber.ptr()
    }

    /// Returns its id, which no other fiber of the process ever has.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let fiber = fibra::spawn(|| fibra::current().id());
    ///     let id = fiber.fiber().id();
    ///     assert_eq!(fiber.join(), Ok(id));
    /// });
    /// ```
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

    /// Returns the current activity of the fiber, or `None` if it has ended.
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
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let handle = fibra::spawn(|| ());
    ///     let fiber = handle.fiber().clone();
    ///     assert!(!fiber.is_finished());
    ///     handle.join().unwrap();
    ///     assert!(fiber.is_finished());
    /// });
    /// ```
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(self.fiber.state.get(), State::Finished | State::Abandoned)
    }

    /// Makes its current call of [`park`](crate::park) return or, if it is in none, its next one.
    ///
    /// No other wait is affected: a fiber that waits for a message continues to wait, and its next
    /// `park` returns immediately.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let waits = fibra::spawn(|| {
    ///         fibra::park();
    ///         "woken"
    ///     });
    ///     fibra::yield_now(); // it is parked now
    ///     waits.fiber().unpark();
    ///     assert_eq!(waits.join(), Ok("woken"));
    /// });
    /// ```
    #[inline]
    pub fn unpark(&self) {
        if let (false, Some(sched)) = (self.is_finished(), scheduler()) {
            sched.unpark(self.fiber.ptr());
        }
    }

    /// Takes it out of the run ring: it does not run until [`resume`](Fiber::resume) is called or
    /// it is killed. Returns whether it was in the ring: a fiber that waits or runs is not paused.
    ///
    /// This is the `remove` of Stackless Python's tasklets. Pausing and resuming take O(1).
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

    /// Puts a paused fiber at the end of the run ring. Returns whether it was paused.
    pub fn resume(&self) -> bool {
        scheduler().is_some_and(|sched| !self.is_finished() && sched.unpause(self.fiber.ptr()))
    }

    /// Asks it to end: its stack is unwound from where it waits, and its destructors run.
    ///
    /// A kill stays in force: if code catches the unwind, the next wait of the fiber unwinds again.
    /// A kill is not raised inside [`shield`](crate::shield), nor while the fiber unwinds, nor by a
    /// wait that has already been completed. A fiber that has not run yet never calls its closure.
    /// A fiber that kills itself unwinds immediately.
    ///
    /// This does not wait for the fiber's end; [`JoinHandle::join`](crate::JoinHandle::join) does.
    ///
    /// Under `panic = "abort"` nothing can be unwound: waits that return a `Result` fail with
    /// `Killed`, and all others continue.
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

    /// Kills it like [`kill`](Fiber::kill), with a reason that appears in the error of the joiner
    /// and in reports about the fiber. If several reasons are given, the first one counts.
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

    /// Returns the reason why the fiber was killed, if one was given. Clean-up code can get its own
    /// with `fibra::current().kill_reason()`.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let fiber = fibra::spawn(fibra::park);
    ///     fibra::yield_now();
    ///     fiber.fiber().kill_with("too slow");
    ///     assert_eq!(fiber.fiber().kill_reason().as_deref(), Some("too slow"));
    ///     assert_eq!(fiber.join().unwrap_err().to_string(), "the fiber was killed: too slow");
    /// });
    /// ```
    #[must_use]
    pub fn kill_reason(&self) -> Option<Cow<'static, str>> {
        self.fiber.peek_extra(|extra| extra.kill_reason.clone()).flatten()
    }

    /// Returns a handle with which any thread can unpark it. See [`Unparker`] for an example.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let unparker = fibra::current().unparker();
    ///     let thread = std::thread::spawn(move || unparker.unpark());
    ///     fibra::park();
    ///     thread.join().unwrap();
    /// });
    /// ```
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

/// Returns a handle to the fiber that calls this.
///
/// # Panics
///
/// Panics outside of a fiber.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     assert_eq!(fibra::current().name().as_deref(), Some("main"));
/// });
/// ```
#[must_use]
#[inline]
#[track_caller]
pub fn current() -> Fiber {
    Fiber { fiber: current_fiber().fiber.to_ref() }
}

/// Returns whether the caller runs in a fiber, and so may call functions that wait. May be called
/// anywhere.
///
/// # Examples
///
/// ```
/// assert!(!fibra::in_fiber());
/// fibra::run(|| assert!(fibra::in_fiber()));
/// ```
#[must_use]
pub fn in_fiber() -> bool {
    crate::fiber::current::fiber().is_some()
}

/// Calls `to` with `key` once `fiber` has ended: immediately if it has ended already.
pub(crate) fn tell_of_end(fiber: &Fiber, to: Rc<dyn EndHook>, key: Key) {
    hooks::tell_of_end(&fiber.fiber, to, key);
}
