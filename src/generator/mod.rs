//! Generators: functions that can suspend in the middle, yield a value, and continue when they are
//! resumed.
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
//! Generators work inside [`fibra::frame`](crate::frame), and in fibers. In a fiber a generator may
//! wait like any other code: the whole fiber waits. A generator belongs to the fiber (or frame)
//! that first resumed it, and no other can resume it. When that fiber or frame ends, its generators
//! are closed.
//!
//! # Passing values in both directions
//!
//! [`Generator::resume`] passes a value in and returns one. The first value is the second argument
//! of the generator's function. Each later value is returned by [`Yielder::yield_`].
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
//! [`GeneratorExit`], so its destructors run. [`Generator::close`] returns how that ended.
//!
//! | Python | here |
//! |---|---|
//! | `next(g)`, `for x in g` | [`Iterator`], where nothing is passed in |
//! | `g.send(v)` | [`Generator::resume`]; a fresh generator takes its first value, Python's requires `None` |
//! | `g.throw(e)` | [`Generator::throw`]: unwinds with any payload; if the generator is fresh, its function is never called |
//! | `g.close()` | [`Generator::close`]: a fresh generator ends without running; one that yields once more gives [`CloseError::Ignored`] |
//! | `StopIteration.value` | [`GeneratorState::Complete`] |
//! | `ValueError: generator already executing` | `resume` takes `&mut self`, so this does not compile |
//! | `StopIteration` after the end | `next` returns `None`; `resume` panics, [`Generator::try_resume`] returns the value |
//! | `yield` in `finally` while being closed | [`finally`](crate::finally) runs its clean-up while nothing unwinds, so it may yield; `close` then returns [`CloseError::Ignored`] |
//! | `yield from sub` | call the function, or `for x in sub { y.yield_(x); }` |
//! | a generator that is collected | is closed when its handle is dropped, at a place that is visible in the code |
//!
//! A yield in a destructor that runs because of a panic or a kill works, but is best avoided: the
//! thread counts as panicking until the destructor continues. Meanwhile:
//!
//! - Nothing can be raised in that generator. If it is dropped, it is unwound later. If its frame
//!   ends first, it is abandoned with its stack.
//! - A kill of its fiber does not reach it, because a kill is never raised while the thread
//!   unwinds.
//!
//! A generator that is dropped by an unwind, catches its `GeneratorExit` and yields once more is
//! abandoned as well: std offers no way to distinguish the two cases.

mod builder;
mod core;
mod error;
mod handle;
mod scope;
mod yielder;

pub use builder::GeneratorBuilder;
pub use error::{CloseError, GeneratorExit, ResumeError};
pub use handle::{Generator, GeneratorState, Owned, iter};
pub use scope::{Borrowed, Scope, scope};
pub use yielder::Yielder;
