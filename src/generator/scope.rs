//! Generators that borrow: a scope that cannot be left before they have ended.
//!
//! Invariants:
//! - [`scope`] owns the list of the started generators, in its own stack frame: there is no handle
//!   that could be forgotten. It unwinds them before it returns, or before it unwinds itself.
//! - A generator that borrows and cannot be unwound aborts the process.

#![allow(unsafe_code, reason = "lengthens the lifetime of what a scope outlives")]

use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::process;
use std::rc::Rc;

use crate::fiber::report;
use crate::generator::core::{Body, Core, ScopeRoster};
use crate::generator::{Generator, GeneratorBuilder, Yielder};

/// A maker of generators that may borrow what outlives the scope. See [`scope`].
///
/// # Examples
///
/// ```
/// use fibra::generator;
///
/// let words = vec![String::from("green"), String::from("threads")];
/// let lengths = fibra::frame(|| {
///     generator::scope(|s| {
///         let lengths = s.iter(|y| words.iter().for_each(|word| y.yield_(word.len())));
///         lengths.collect::<Vec<_>>()
///     })
/// });
/// assert_eq!(lengths, [5, 7]);
/// ```
pub struct Scope<'scope, 'env: 'scope> {
    generators: Rc<ScopeRoster>,
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// A marker of a [`Generator`] that may borrow for as long as its [`scope`] lasts.
#[derive(Debug)]
pub struct Borrowed<'scope> {
    scope: PhantomData<&'scope mut &'scope ()>,
}

/// Calls `f` with a scope in which generators may borrow from outside, and closes the generators
/// that are left when `f` has returned or unwound.
///
/// As with [`std::thread::scope`], a forgotten handle does no harm: the call of `scope` closes
/// the generators, and it cannot be forgotten.
///
/// # Panics
///
/// Panics with the payload of the panic of `f`.
///
/// # Aborts
///
/// Aborts the process if a generator that borrows cannot be unwound: it catches every
/// [`GeneratorExit`](crate::generator::GeneratorExit), the program is built with `panic = "abort"`,
/// or it runs or belongs to another fiber when the scope ends.
///
/// # Examples
///
/// ```
/// use fibra::generator;
///
/// let words = vec![String::from("a"), String::from("b")];
/// let mut seen = 0;
/// fibra::frame(|| {
///     generator::scope(|s| {
///         let lengths = s.iter(|y| {
///             for word in &words {
///                 seen += 1;
///                 y.yield_(word.len());
///             }
///         });
///         assert_eq!(lengths.sum::<usize>(), 2);
///     });
/// });
/// assert_eq!(seen, 2);
/// ```
///
/// What is borrowed must outlive the scope:
///
/// ```compile_fail
/// fibra::generator::scope(|s| {
///     let local = String::new();
///     s.iter(|y| y.yield_(&local)).next();
/// });
/// ```
///
/// The handle cannot leave the scope:
///
/// ```compile_fail
/// let word = String::new();
/// let escaped = fibra::generator::scope(|s| s.iter(|y| y.yield_(&word)));
/// ```
pub fn scope<'env, F, T>(f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    let scope = Scope { generators: ScopeRoster::new(), scope: PhantomData, env: PhantomData };
    let result = panic::catch_unwind(AssertUnwindSafe(|| f(&scope)));
    scope.generators.roster.unwind_all();
    if !scope.generators.roster.is_empty() {
        report::say(format_args!(
            "a scope of generators ends while one of them runs, or belongs to another fiber: \
             aborting"
        ));
        process::abort();
    }
    result.unwrap_or_else(|payload| panic::resume_unwind(payload))
}

impl<'scope> Scope<'scope, '_> {
    /// Creates a generator like [`Generator::new`], from a function that may borrow.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::generator::{self, GeneratorState};
    ///
    /// let names = ["zero", "one", "two"];
    /// fibra::frame(|| {
    ///     generator::scope(|s| {
    ///         let mut lookup = s.generator(|y, mut at: usize| {
    ///             while let Some(name) = names.get(at) {
    ///                 at = y.yield_(*name);
    ///             }
    ///         });
    ///         assert_eq!(lookup.resume(2), GeneratorState::Yielded("two"));
    ///         assert_eq!(lookup.resume(1), GeneratorState::Yielded("one"));
    ///         assert_eq!(lookup.resume(9), GeneratorState::Complete(()));
    ///     });
    /// });
    /// ```
    pub fn generator<Y, R, T>(
        &'scope self,
        f: impl FnOnce(&Yielder<Y, R>, R) -> T + 'scope,
    ) -> Generator<Y, R, T, Borrowed<'scope>>
    where
        Y: 'scope,
        R: 'scope,
        T: 'scope,
    {
        self.build(&GeneratorBuilder::new(), f)
    }

    /// Creates an iterator like [`iter`](crate::generator::iter), from a function that may borrow.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::generator;
    ///
    /// fibra::frame(|| {
    ///     let words = ["spam", "eggs"];
    ///     generator::scope(|s| {
    ///         let lengths = s.iter(|y| words.iter().for_each(|word| y.yield_(word.len())));
    ///         assert_eq!(lengths.sum::<usize>(), 8);
    ///     });
    /// });
    /// ```
    pub fn iter<Y, T>(
        &'scope self,
        f: impl FnOnce(&Yielder<Y>) -> T + 'scope,
    ) -> Generator<Y, (), T, Borrowed<'scope>>
    where
        Y: 'scope,
        T: 'scope,
    {
        self.generator(move |y, ()| f(y))
    }

    /// Creates a generator like [`GeneratorBuilder::build`], from a function that may borrow.
    pub fn build<Y, R, T>(
        &'scope self,
        builder: &GeneratorBuilder,
        f: impl FnOnce(&Yielder<Y, R>, R) -> T + 'scope,
    ) -> Generator<Y, R, T, Borrowed<'scope>>
    where
        Y: 'scope,
        R: 'scope,
        T: 'scope,
    {
        let body: Body<'scope, Y, R, T> = Box::new(f);
        // SAFETY: only the lifetime changes. A generator that is never started is dropped with its
        // handle, whose type carries `'scope`; if the handle is forgotten, it is never dropped. A
        // generator that is started has ended before `scope` returns or unwinds: see `scope`, and
        // `core::erase`.
        let body = unsafe { mem::transmute::<Body<'scope, Y, R, T>, Body<'static, Y, R, T>>(body) };
        Generator::from_core(Core::new(builder.class(), body, Some(self.generators.clone())))
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}
