//! Making tasklets and giving them functions and arguments.
//!
//! Invariant: the function lies in the tasklet's record, and a [`Bound`] knows its type and which
//! binding it made. A function that was replaced, or un-bound, is gone for every `Bound`.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::panic::Location;

use crate::sched::core::scheduler::here;
use crate::stackless::error::TaskletError;
use crate::stackless::tasklet::Tasklet;

/// A tasklet with a function that waits for its arguments (S-013).
///
/// Several arguments are a tuple. `tasklet(f).setup(args)` is Stackless' `tasklet(f)(*args)`.
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
///     stackless::tasklet(|(a, b): (u32, u32)| println!("{}", a + b)).setup((20, 22));
///     stackless::run();
/// });
/// ```
#[track_caller]
pub fn tasklet<A: 'static>(f: impl FnOnce(A) + 'static) -> Bound<A> {
    Tasklet::new().bind_new(f)
}

/// A tasklet that will run `f`, at the end of the ring: Stackless' `tasklet(f)()` (S-014).
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
///     stackless::spawn(|| println!("second"));
///     println!("first");
///     stackless::schedule();
/// });
/// ```
#[track_caller]
#[allow(clippy::must_use_candidate, reason = "the ring keeps the tasklet")]
pub fn spawn(f: impl FnOnce() + 'static) -> Tasklet {
    let tasklet = Tasklet::new();
    tasklet.start(here().sched, f, Location::caller());
    tasklet.append();
    tasklet
}

type Function<A> = Box<dyn FnOnce(A)>;

/// A tasklet that is bound to a function, and the right to give that its arguments.
///
/// Dropping it un-binds the tasklet.
#[must_use = "a bound tasklet does nothing until it is given its arguments"]
pub struct Bound<A: 'static> {
    tasklet: Tasklet,
    binding: u64,
    /// The function is found by the identity of its type, so that must not become another one.
    arguments: PhantomData<fn(A) -> A>,
}

impl<A: 'static> Bound<A> {
    /// Gives it its arguments, and appends it to the ring (S-014).
    ///
    /// # Panics
    ///
    /// Panics where [`try_setup`](Bound::try_setup) fails, and outside of a fiber.
    #[track_caller]
    #[allow(clippy::must_use_candidate, reason = "the ring keeps the tasklet")]
    pub fn setup(self, args: A) -> Tasklet {
        match self.try_setup(args) {
            Ok(tasklet) => tasklet,
            Err(error) => panic!("{error}"),
        }
    }

    /// Gives it its arguments, and appends it to the ring (S-014).
    ///
    /// # Errors
    ///
    /// [`TaskletError::Alive`] if it was set up by another binding (S-015),
    /// [`TaskletError::NotBound`] if it was un-bound or bound to another function (S-016), and
    /// [`TaskletError::NoThread`] if its `run` is over.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn try_setup(self, args: A) -> Result<Tasklet, TaskletError> {
        let tasklet = self.pause_with(args)?;
        tasklet.append();
        Ok(tasklet)
    }

    /// Gives it its arguments, and does not append it to the ring: it is paused (S-018).
    ///
    /// It hides [`Tasklet::bind`], which binds to another function: that is called as
    /// `Tasklet::bind(&bound, f)`.
    ///
    /// # Panics
    ///
    /// As [`setup`](Bound::setup).
    #[track_caller]
    pub fn bind(self, args: A) -> Tasklet {
        match self.pause_with(args) {
            Ok(tasklet) => tasklet,
            Err(error) => panic!("{error}"),
        }
    }

    #[track_caller]
    fn pause_with(self, args: A) -> Result<Tasklet, TaskletError> {
        let tasklet = self.tasklet.clone();
        let at = Location::caller();
        if tasklet.is_alive() {
            return Err(TaskletError::Alive(tasklet.record().describe()));
        }
        let Some(sched) = tasklet.record().scheduler() else {
            return Err(TaskletError::NoThread(tasklet.record().describe()));
        };
        let function = tasklet.record().take_function(self.binding);
        let Some(Ok(f)) = function.map(|f| f.downcast::<Function<A>>()) else {
            return Err(TaskletError::NotBound(tasklet.record().describe()));
        };
        tasklet.start(sched, move || f(args), at);
        Ok(tasklet)
    }
}

impl<A: 'static> Drop for Bound<A> {
    fn drop(&mut self) {
        drop(self.tasklet.record().take_function(self.binding));
    }
}

impl<A: 'static> Deref for Bound<A> {
    type Target = Tasklet;

    fn deref(&self) -> &Tasklet {
        &self.tasklet
    }
}

impl<A: 'static> fmt::Debug for Bound<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bound").field(&self.tasklet).finish()
    }
}

impl Tasklet {
    /// Binds it to `f`, which waits for its arguments (S-017). What it was bound to before, or had
    /// been set up with and not started, is dropped (S-028).
    ///
    /// # Errors
    ///
    /// Refused for the current tasklet, for a scheduled or blocked one, and for one that has
    /// started and not ended, in this order (S-021 to S-026).
    ///
    /// # Panics
    ///
    /// Panics with what the destructor of the old function panics with.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless::{self, Tasklet};
    ///
    /// fibra::run(|| {
    ///     let tasklet = Tasklet::new();
    ///     for round in 0..3 {
    ///         tasklet.bind(|n: i32| println!("{n}")).unwrap().setup(round);
    ///         stackless::run();
    ///     }
    /// });
    /// ```
    pub fn bind<A: 'static>(&self, f: impl FnOnce(A) + 'static) -> Result<Bound<A>, TaskletError> {
        self.check_rebind()?;
        self.record().empty();
        if self.is_alive() {
            // The destructor of what it held has set it up again.
            return Err(TaskletError::Alive(self.record().describe()));
        }
        Ok(self.bind_new(f))
    }

    /// Makes it empty: drops its function, and its arguments if it was set up and has not started
    /// (S-019, S-028).
    ///
    /// # Errors
    ///
    /// As [`bind`](Tasklet::bind).
    ///
    /// # Panics
    ///
    /// Panics with what the destructor of the old function panics with.
    pub fn unbind(&self) -> Result<(), TaskletError> {
        self.check_rebind()?;
        self.record().empty();
        Ok(())
    }

    fn bind_new<A: 'static>(&self, f: impl FnOnce(A) + 'static) -> Bound<A> {
        let function: Function<A> = Box::new(f);
        let binding = self.record().bind(Box::new(function));
        Bound { tasklet: self.clone(), binding, arguments: PhantomData }
    }

    fn check_rebind(&self) -> Result<(), TaskletError> {
        let who = || self.record().describe();
        if self.is_current() {
            return Err(TaskletError::Current(who()));
        }
        if self.is_scheduled() {
            return Err(TaskletError::Scheduled(who()));
        }
        // A fiber that another part of fibra has made may be awaited: it is not thrown away.
        let own = !self.is_alive() || self.record().owns_fiber.get();
        if own && self.is_restorable() { Ok(()) } else { Err(TaskletError::CState(who())) }
    }

    /// Puts it, which is paused, at the end of the ring.
    pub(crate) fn append(&self) {
        if let (Some(fiber), Some(sched)) = (self.alive(), self.record().scheduler()) {
            sched.unpause(fiber.ptr());
        }
    }
}
