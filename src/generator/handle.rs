//! The handle of a generator: resuming it, raising in it, closing it.

use std::any::Any;
use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::rc::Rc;

use crate::generator::builder::GeneratorBuilder;
use crate::generator::core::Core;
use crate::generator::error::{CloseError, ResumeError};
use crate::generator::yielder::Yielder;

/// A function that can suspend in the middle, yield a value, and continue when it is resumed.
///
/// `Y` is the type of what it yields, `R` of what it is resumed with, `T` of what it returns. The
/// last parameter marks what it may borrow: nothing, or whatever outlives a
/// [`scope`](crate::generator::scope()).
///
/// It is `!Send`: a started generator never leaves its thread, nor the fiber that first resumed it.
///
/// ```compile_fail
/// fn send<T: Send>() {}
/// send::<fibra::generator::Generator<u32>>();
/// ```
///
/// Dropping a generator closes it.
///
/// # Examples
///
/// ```
/// use fibra::generator::{Generator, GeneratorState};
///
/// fibra::frame(|| {
///     let mut greeter: Generator<&str, &str, usize> = Generator::new(|y, first: &str| {
///         let second = y.yield_("and who else?");
///         first.len() + second.len()
///     });
///     assert_eq!(greeter.resume("Ann"), GeneratorState::Yielded("and who else?"));
///     assert_eq!(greeter.resume("Bob"), GeneratorState::Complete(6));
/// });
/// ```
#[doc(alias = "coroutine")]
pub struct Generator<Y, R = (), T = (), B = Owned> {
    core: Rc<Core<Y, R, T>>,
    borrows: PhantomData<B>,
}

/// Marks a [`Generator`] that borrows nothing.
#[derive(Debug)]
pub struct Owned(());

/// The outcome of one resume of a generator.
///
/// # Examples
///
/// ```
/// use fibra::generator::{Generator, GeneratorState};
///
/// fibra::frame(|| {
///     let mut twice: Generator<u32, u32, &str> = Generator::new(|y, n| {
///         y.yield_(2 * n);
///         "end"
///     });
///     assert_eq!(twice.resume(4), GeneratorState::Yielded(8));
///     assert_eq!(twice.resume(0), GeneratorState::Complete("end"));
/// });
/// ```
#[derive(Copy, Clone, Debug, Eq, PartialEq, Hash)]
pub enum GeneratorState<Y, T> {
    /// The generator yielded this value, and can be resumed again.
    Yielded(Y),
    /// The generator has ended, and its function returned this value.
    Complete(T),
}

/// Creates a generator that takes no values in: an iterator.
///
/// # Examples
///
/// ```
/// use fibra::generator;
///
/// fibra::frame(|| {
///     let fibonacci = generator::iter(|y| {
///         let (mut a, mut b) = (0u64, 1);
///         loop {
///             y.yield_(a);
///             (a, b) = (b, a + b);
///         }
///     });
///     assert_eq!(fibonacci.take(7).collect::<Vec<_>>(), [0, 1, 1, 2, 3, 5, 8]);
/// });
/// ```
pub fn iter<Y, T>(f: impl FnOnce(&Yielder<Y>) -> T + 'static) -> Generator<Y, (), T>
where
    Y: 'static,
    T: 'static,
{
    Generator::new(move |y, ()| f(y))
}

impl<Y: 'static, R: 'static, T: 'static> Generator<Y, R, T> {
    /// Creates a generator that will run `f` with the first value that it is resumed with.
    ///
    /// Nothing runs before the first resume. `f` and the three types may not borrow:
    /// [`scope`](crate::generator::scope()) creates generators that may.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::generator::{Generator, GeneratorState};
    ///
    /// fibra::frame(|| {
    ///     let mut adder: Generator<u32, u32> = Generator::new(|y, mut n| {
    ///         let mut sum = 0;
    ///         loop {
    ///             sum += n;
    ///             n = y.yield_(sum);
    ///         }
    ///     });
    ///     assert_eq!(adder.resume(3), GeneratorState::Yielded(3));
    ///     assert_eq!(adder.resume(4), GeneratorState::Yielded(7));
    /// });
    /// ```
    pub fn new(f: impl FnOnce(&Yielder<Y, R>, R) -> T + 'static) -> Generator<Y, R, T> {
        GeneratorBuilder::new().build(f)
    }
}

impl<Y, R, T, B> Generator<Y, R, T, B> {
    /// Runs the generator until it yields or ends. Its pending [`yield_`](Yielder::yield_) returns
    /// `value`; for a fresh generator, `value` is the second argument of its function.
    ///
    /// # Panics
    ///
    /// Panics with the payload of the generator's panic, which has ended the generator. Where
    /// [`try_resume`](Generator::try_resume) returns an error, panics with the text of that error.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::generator::{Generator, GeneratorState};
    ///
    /// fibra::frame(|| {
    ///     let mut echo: Generator<String, u32, &str> = Generator::new(|y, first| {
    ///         let second = y.yield_(format!("got {first}"));
    ///         y.yield_(format!("got {second}"));
    ///         "done"
    ///     });
    ///     assert_eq!(echo.resume(1), GeneratorState::Yielded("got 1".into()));
    ///     assert_eq!(echo.resume(2), GeneratorState::Yielded("got 2".into()));
    ///     assert_eq!(echo.resume(3), GeneratorState::Complete("done"));
    ///     assert!(echo.is_finished());
    /// });
    /// ```
    #[inline(always)]
    #[track_caller]
    pub fn resume(&mut self, value: R) -> GeneratorState<Y, T> {
        match self.core.advance(value) {
            Ok(state) => state,
            Err(error) => refused(&error),
        }
    }

    /// Like [`resume`](Generator::resume), but returns the value if the generator cannot be
    /// resumed.
    ///
    /// # Errors
    ///
    /// Returns the value in a [`ResumeError`] if the generator has ended, if it belongs to another
    /// fiber, if the caller is outside of `frame` and `run`, or if no stack could be allocated (the
    /// generator is still fresh then).
    ///
    /// # Panics
    ///
    /// Panics with the payload of the generator's panic.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::generator::{Generator, ResumeError};
    ///
    /// fibra::frame(|| {
    ///     let mut once: Generator<(), &str> = Generator::new(|_, _| ());
    ///     assert!(once.try_resume("first").is_ok());
    ///     assert_eq!(once.try_resume("second"), Err(ResumeError::Finished("second")));
    /// });
    /// ```
    #[inline(always)]
    pub fn try_resume(&mut self, value: R) -> Result<GeneratorState<Y, T>, ResumeError<R>> {
        self.core.advance(value)
    }

    /// Unwinds the generator from its pending yield with `payload`, as if that yield had panicked,
    /// and runs it until it yields or ends.
    ///
    /// If the generator catches the unwind and yields or returns, that is the result. A fresh
    /// generator ends without having run.
    ///
    /// # Panics
    ///
    /// Panics with `payload`, or with the other payload that leaves the generator. If the generator
    /// has ended, panics with `payload` immediately. Panics with a message if the generator belongs
    /// to another fiber, is suspended in a destructor that runs because of a panic, or if the
    /// program is built with `panic = "abort"` and the generator is suspended.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::generator::{Generator, GeneratorState};
    /// use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    ///
    /// fibra::frame(|| {
    ///     let mut counter: Generator<u32> = Generator::new(|y, ()| {
    ///         let mut n = 0;
    ///         loop {
    ///             match catch_unwind(AssertUnwindSafe(|| y.yield_(n))) {
    ///                 Ok(()) => n += 1,
    ///                 Err(payload) if payload.is::<&str>() => n = 0,
    ///                 Err(payload) => resume_unwind(payload), // a `GeneratorExit`, for example
    ///             }
    ///         }
    ///     });
    ///     assert_eq!(counter.nth(2), Some(2));
    ///     assert_eq!(counter.throw("again"), GeneratorState::Yielded(0));
    /// });
    /// ```
    #[track_caller]
    pub fn throw(&mut self, payload: impl Any + Send) -> GeneratorState<Y, T> {
        self.core.throw(Box::new(payload))
    }

    /// Ends the generator: unwinds it from its pending yield with a
    /// [`GeneratorExit`](crate::generator::GeneratorExit). Returns what the generator returned, if
    /// it caught that and returned.
    ///
    /// Does nothing if the generator has not run yet (it ends without running) or has ended.
    ///
    /// # Errors
    ///
    /// - [`CloseError::Ignored`] with the value that the generator yielded instead of ending. It is
    ///   suspended then, and can be resumed.
    /// - [`CloseError::Panicked`] if the clean-up of the generator panicked.
    /// - [`CloseError::Refused`] if nothing can be raised where the generator is suspended.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::generator;
    ///
    /// fibra::frame(|| {
    ///     let mut words = generator::iter(|y| {
    ///         fibra::finally(|| y.yield_("hello"), || println!("cleaned up"));
    ///     });
    ///     assert_eq!(words.next(), Some("hello"));
    ///     assert!(words.close().is_ok()); // prints "cleaned up"
    ///     assert_eq!(words.next(), None);
    /// });
    /// ```
    pub fn close(&mut self) -> Result<Option<T>, CloseError<Y>> {
        self.core.close()
    }

    pub(super) fn from_core(core: Rc<Core<Y, R, T>>) -> Generator<Y, R, T, B> {
        Generator { core, borrows: PhantomData }
    }

    /// Returns whether the generator has ended: returned, panicked or been closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::generator;
    ///
    /// fibra::frame(|| {
    ///     let mut once = generator::iter(|y| y.yield_(1));
    ///     assert_eq!(once.next(), Some(1));
    ///     assert!(!once.is_finished()); // it waits in its `yield_`
    ///     assert_eq!(once.next(), None);
    ///     assert!(once.is_finished());
    /// });
    /// ```
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.core.is_finished()
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn refused<R>(error: &ResumeError<R>) -> ! {
    panic!("{error}")
}

impl<Y, T, B> Iterator for Generator<Y, (), T, B> {
    type Item = Y;

    /// Resumes the generator. Returns `None` once it has ended, whatever it returned.
    #[inline(always)]
    #[track_caller]
    fn next(&mut self) -> Option<Y> {
        match self.core.advance(()) {
            Ok(GeneratorState::Yielded(value)) => Some(value),
            Ok(GeneratorState::Complete(_)) | Err(ResumeError::Finished(())) => None,
            Err(error) => refused(&error),
        }
    }
}

impl<Y, T, B> FusedIterator for Generator<Y, (), T, B> {}

impl<Y, R, T, B> Drop for Generator<Y, R, T, B> {
    #[inline]
    fn drop(&mut self) {
        if !self.core.is_finished() {
            Core::give_up_handle(&self.core);
        }
    }
}

impl<Y, R, T, B> fmt::Debug for Generator<Y, R, T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generator").field("state", &self.core.state()).finish_non_exhaustive()
    }
}
