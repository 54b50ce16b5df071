//! The creation of tasklets, and of the bindings that give them functions and arguments.
//!
//! Invariant: the function is stored in the tasklet's record. A [`Bound`] knows the type of the
//! function and the number of the binding that it made. A function that was replaced or unbound is
//! gone for every `Bound`.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::panic::Location;

use crate::sched::core::scheduler::current_fiber;
use crate::stackless::error::TaskletError;
use crate::stackless::tasklet::Tasklet;

/// Creates a tasklet with a function that waits for its arguments.
///
/// Pass several arguments as a tuple. `tasklet(f).setup(args)` is Stackless' `tasklet(f)(*args)`.
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

/// Creates a tasklet that will run `f`, and appends it to the run ring: Stackless' `tasklet(f)()`.
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
    tasklet.start(current_fiber().sched, f, Location::caller());
    tasklet.append();
    tasklet
}

type Function<A> = Box<dyn FnOnce(A)>;

/// A tasklet that is bound to a function and waits for the arguments.
///
/// Dropping it unbinds the tasklet.
///
/// # Examples
///
/// ```
/// use fibra::stackless;
///
/// fibra::run(|| {
///     let add = stackless::tasklet(|(a, b): (u32, u32)| println!("{}", a + b));
///     assert!(!add.is_alive()); // a `Bound` can be used like its tasklet
///     let tasklet = add.setup((1, 2));
///     assert!(tasklet.is_scheduled());
///     stackless::run();
/// });
/// ```
#[must_use = "a bound tasklet does nothing until it is given its arguments"]
pub struct Bound<A: 'static> {
    tasklet: Tasklet,
    binding: u64,
    /// The function is looked up by the identity of its type, so the type parameter must be
    /// invariant.
    arguments: PhantomData<fn(A) -> A>,
}

impl<A: 'static> Bound<A> {
    /// Passes the arguments, and appends the tasklet to the run ring.
    ///
    /// # Panics
    ///
    /// Panics where [`try_setup`](Bound::try_setup) returns an error, and outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless;
    ///
    /// fibra::run(|| {
    ///     stackless::tasklet(|(name, n): (&str, u32)| println!("{name}: {n}")).setup(("ants", 3));
    ///     stackless::run(); // prints "ants: 3"
    /// });
    /// ```
    #[track_caller]
    #[allow(clippy::must_use_candidate, reason = "the ring keeps the tasklet")]
    pub fn setup(self, args: A) -> Tasklet {
        match self.try_setup(args) {
            Ok(tasklet) => tasklet,
            Err(error) => panic!("{error}"),
        }
    }

    /// Passes the arguments, and appends the tasklet to the run ring.
    ///
    /// # Errors
    ///
    /// Returns [`TaskletError::Alive`] if the tasklet was set up by another binding,
    /// [`TaskletError::NotBound`] if it was unbound or bound to another function, and
    /// [`TaskletError::NoThread`] if its `run` is over.
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
    ///     let bound = stackless::tasklet(|n: u32| assert_eq!(n, 7));
    ///     bound.unbind().unwrap();
    ///     assert!(bound.try_setup(7).is_err()); // it has no function any more
    /// });
    /// ```
    #[track_caller]
    pub fn try_setup(self, args: A) -> Result<Tasklet, TaskletError> {
        let tasklet = self.pause_with(args)?;
        tasklet.append();
        Ok(tasklet)
    }

    /// Passes the arguments, and does not append the tasklet to the run ring: it is paused.
    ///
    /// This method hides [`Tasklet::bind`], which binds the tasklet to another function. Call that
    /// as `Tasklet::bind(&bound, f)`.
    ///
    /// # Panics
    ///
    /// Panics like [`setup`](Bound::setup).
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
    /// Binds the tasklet to `f`, which waits for its arguments. Drops the function that it was
    /// bound to before, or that it was set up with and has not started.
    ///
    /// # Errors
    ///
    /// Returns an error for the current tasklet ([`TaskletError::Current`]), for a scheduled or
    /// blocked one ([`TaskletError::Scheduled`]), and for one that has started and not ended
    /// ([`TaskletError::CState`]), in this order. The main tasklet, and fibers that other parts of
    /// fibra have made, are refused like one that has started.
    ///
    /// # Panics
    ///
    /// Panics with the payload of a panic in the destructor of the old function.
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
            // The destructor of the old function has set up the tasklet again.
            return Err(TaskletError::Alive(self.record().describe()));
        }
        Ok(self.bind_new(f))
    }

    /// Empties the tasklet: drops its function, and its arguments if it was set up and has not
    /// started.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`bind`](Tasklet::bind).
    ///
    /// # Panics
    ///
    /// Panics with the payload of a panic in the destructor of the old function.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless;
    ///
    /// fibra::run(|| {
    ///     let tasklet = stackless::tasklet(|()| unreachable!()).bind(());
    ///     tasklet.unbind().unwrap(); // the function is dropped and never runs
    ///     assert!(!tasklet.is_alive());
    /// });
    /// ```
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
        // A fiber that another part of fibra has made may be joined, so it is not discarded.
        let own = !self.is_alive() || self.record().owns_fiber.get();
        if own && self.is_restorable() { Ok(()) } else { Err(TaskletError::CState(who())) }
    }

    /// Puts the tasklet, which is paused, at the end of the run ring.
    pub(crate) fn append(&self) {
        if let (Some(fiber), Some(sched)) = (self.alive(), self.record().scheduler()) {
            sched.unpause(fiber.ptr());
        }
    }
}
