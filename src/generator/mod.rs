//! Generators: functions that can stop in the middle, give a value, and go on when they are asked.
//!
//! They are the generators of Python's PEP 342, with a stack of their own. So a yield may happen at
//! any depth: in a function that the generator calls, in a recursion, in a closure passed to an
//! iterator adaptor. Each yield is one switch, however deep it happens.
//!
//! ```
//! use fibra::generator::{self, Yielder};
//!
//! struct Tree(Option<Box<(Tree, u32, Tree)>>);
//!
//! impl Tree {
//!     /// An ordinary recursion: no chain of iterators, no boxes.
//!     fn walk(&self, y: &Yielder<u32>) {
//!         if let Some(node) = &self.0 {
//!             node.0.walk(y);
//!             y.yield_(node.1);
//!             node.2.walk(y);
//!         }
//!     }
//! }
//!
//! let leaf = |value| Tree(Some(Box::new((Tree(None), value, Tree(None)))));
//! let tree = Tree(Some(Box::new((leaf(1), 2, leaf(3)))));
//! let values: Vec<u32> =
//!     fibra::frame(|| generator::iter(move |y| tree.walk(y)).collect());
//! assert_eq!(values, [1, 2, 3]);
//! ```
//!
//! # Where they work
//!
//! Inside [`fibra::frame`](crate::frame), and in fibers. In a fiber a generator may wait like any
//! other code: the whole fiber waits. A generator belongs to the fiber (or frame) that first resumed
//! it, and no other can resume it. When that ends, what it owns is closed.
//!
//! # Talking both ways
//!
//! [`Generator::resume`] passes a value in and gets one out. What is passed in first is the
//! function's second argument; what is passed in later comes out of [`Yielder::yield_`].
//!
//! ```
//! use fibra::generator::{Generator, GeneratorState};
//!
//! fibra::frame(|| {
//!     let mut average: Generator<f64, f64> = Generator::new(|y, first| {
//!         let (mut sum, mut n) = (first, 1.0);
//!         loop {
//!             sum += y.yield_(sum / n);
//!             n += 1.0;
//!         }
//!     });
//!     assert_eq!(average.resume(10.0), GeneratorState::Yielded(10.0));
//!     assert_eq!(average.resume(20.0), GeneratorState::Yielded(15.0));
//! });
//! ```
//!
//! # Ending early
//!
//! A suspended generator that is closed or dropped is unwound from its yield with a
//! [`GeneratorExit`], so its destructors run. `close` says what came of it.
//!
//! | Python | here |
//! |---|---|
//! | `next(g)`, `for x in g` | [`Iterator`], where nothing is passed in |
//! | `g.send(v)` | [`Generator::resume`]; a fresh generator takes its first value, Python's wants `None` |
//! | `g.throw(e)` | [`Generator::throw`]: unwinds with any payload; into a fresh one, its function is never called |
//! | `g.close()` | [`Generator::close`]: a fresh one ends without running; one that yields once more "ignored GeneratorExit" |
//! | `StopIteration.value` | [`GeneratorState::Complete`] |
//! | `ValueError: generator already executing` | `resume` takes `&mut self`: the type system says so |
//! | `StopIteration` after the end | `next` gives `None`; `resume` panics, [`Generator::try_resume`] gives the value back |
//! | `yield` in `finally` while being closed | [`finally`](crate::finally) runs its clean-up while nothing unwinds, so it may yield; see `close` for what comes of that |
//! | `yield from sub` | call the function, or `for x in sub { y.yield_(x); }` |
//! | a generator that is collected | is closed when its handle is dropped, at a place that can be seen |
//!
//! A yield in a destructor that runs because of a panic or a kill works, but better do without: the
//! thread counts as panicking until the destructor goes on. Nothing can be raised in that generator
//! meanwhile: if it is dropped it is unwound later, and if its frame ends first it is given up with
//! its stack. And a kill of its fiber, which is never raised while the thread unwinds, does not come
//! through. A generator that is dropped by an unwind, catches its `GeneratorExit` and yields once more
//! is given up as well: the two cannot be told apart.

mod builder;
mod core;
mod error;
mod scope;
mod yielder;

use std::any::Any;
use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::rc::Rc;

pub use builder::GeneratorBuilder;
pub use error::{CloseError, GeneratorExit, ResumeError};
pub use scope::{Borrowed, Scope, scope};
pub use yielder::Yielder;

use self::core::Core;

/// A function that can stop in the middle, give a value, and go on when it is resumed.
///
/// `Y` is what it yields, `R` what it is resumed with, `T` what it returns. The last parameter says
/// what it may borrow: nothing, or whatever outlives a [`scope`].
///
/// It is `!Send`: a started generator never leaves its thread, nor the fiber that first resumed it.
///
/// ```compile_fail
/// fn send<T: Send>() {}
/// send::<fibra::generator::Generator<u32>>();
/// ```
///
/// Dropping it closes it.
#[doc(alias = "coroutine")]
pub struct Generator<Y, R = (), T = (), B = Owned> {
    core: Rc<Core<Y, R, T>>,
    borrows: PhantomData<B>,
}

/// Marks a [`Generator`] that borrows nothing.
#[derive(Debug)]
pub struct Owned(());

/// What a generator did when it was resumed.
#[derive(Copy, Clone, Debug, Eq, PartialEq, Hash)]
pub enum GeneratorState<Y, T> {
    /// It gave a value, and can be resumed again.
    Yielded(Y),
    /// It has ended, with this.
    Complete(T),
}

/// A generator that takes nothing in: an iterator.
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
    /// A generator that will run `f`, with the first value that it is resumed with.
    ///
    /// Nothing runs before that. What it is made of may borrow nothing: [`scope`] makes generators
    /// that do.
    pub fn new(f: impl FnOnce(&Yielder<Y, R>, R) -> T + 'static) -> Generator<Y, R, T> {
        GeneratorBuilder::new().build(f)
    }
}

impl<Y, R, T, B> Generator<Y, R, T, B> {
    /// Runs it until it yields or ends. `value` is what its pending yield gives; for a fresh one,
    /// the second argument of its function.
    ///
    /// # Panics
    ///
    /// With the panic of the generator, which has then ended. Where
    /// [`try_resume`](Generator::try_resume) fails, with the text of that error.
    #[inline(always)]
    #[track_caller]
    pub fn resume(&mut self, value: R) -> GeneratorState<Y, T> {
        match self.core.advance(value) {
            Ok(state) => state,
            Err(error) => refused(&error),
        }
    }

    /// As [`resume`](Generator::resume), but gives the value back if it cannot be resumed.
    ///
    /// # Errors
    ///
    /// If it has ended, if it belongs to another fiber, outside of `frame` and `run`, and if no
    /// stack could be had (it is still fresh then).
    ///
    /// # Panics
    ///
    /// With the panic of the generator.
    #[inline(always)]
    pub fn try_resume(&mut self, value: R) -> Result<GeneratorState<Y, T>, ResumeError<R>> {
        self.core.advance(value)
    }

    /// Unwinds it from its pending yield with `payload`, as if that had panicked, and runs it until
    /// it yields or ends.
    ///
    /// If it catches the unwind and yields, or returns, that is the result. A fresh one ends without
    /// having run.
    ///
    /// # Panics
    ///
    /// With `payload`, or whatever else leaves the generator. An ended one raises `payload` at once.
    /// With a text if it belongs to another fiber, or is suspended in a destructor that runs because
    /// of a panic.
    #[track_caller]
    pub fn throw(&mut self, payload: impl Any + Send) -> GeneratorState<Y, T> {
        self.core.throw(Box::new(payload))
    }

    /// Ends it: unwinds it from its pending yield with a [`GeneratorExit`]. Gives what it returned,
    /// if it caught that and returned.
    ///
    /// One that has not run, or has ended, does nothing.
    ///
    /// # Errors
    ///
    /// [`CloseError::Ignored`] with what it yielded instead of ending (it is suspended then, and can
    /// be resumed), [`CloseError::Panicked`] if its clean-up panicked, and [`CloseError::Refused`] if
    /// nothing can be raised where it is suspended.
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

    fn from_core(core: Rc<Core<Y, R, T>>) -> Generator<Y, R, T, B> {
        Generator { core, borrows: PhantomData }
    }

    /// Whether it has ended: returned, panicked or been closed.
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

    /// Resumes it; `None` once it has ended, whatever it returned.
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
