//! Generators that borrow: a scope that cannot be left before they have ended.
//!
//! Invariants:
//! - [`scope`] owns the list of those that were started, on its own stack frame: there is no handle
//!   that could be forgotten. It unwinds them before it returns, or unwinds itself.
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

/// Makes generators that may borrow what outlives the scope. See [`scope`].
pub struct Scope<'scope, 'env: 'scope> {
    generators: Rc<ScopeRoster>,
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// Marks a [`Generator`] that may borrow for as long as its [`scope`] lasts.
#[derive(Debug)]
pub struct Borrowed<'scope> {
    scope: PhantomData<&'scope mut &'scope ()>,
}

/// Calls `f` with a scope in which generators may borrow from outside, and closes those that are
/// left when `f` has returned or unwound.
///
/// As with [`std::thread::scope`], forgetting a handle does no harm: it is the call of `scope` that
/// closes the generators, and it cannot be forgotten.
///
/// # Panics
///
/// With the panic of `f`. If a generator that borrows cannot be unwound (it catches every
/// [`GeneratorExit`](crate::generator::GeneratorExit), or the program is built with
/// `panic = "abort"`) the process is aborted.
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
/// And no handle leaves it:
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
    /// As [`Generator::new`], for a function that may borrow.
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

    /// As [`iter`](crate::generator::iter), for a function that may borrow.
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

    /// As [`GeneratorBuilder::build`], for a function that may borrow.
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
        // SAFETY: only the lifetime changes. If it is never started it is dropped with its handle,
        // whose type bears `'scope`, or with nothing at all if that is forgotten. Once it is started
        // it has ended before `scope` returns or unwinds: see `scope`, and `core::erase`.
        let body = unsafe { mem::transmute::<Body<'scope, Y, R, T>, Body<'static, Y, R, T>>(body) };
        Generator::from_core(Core::new(builder.class(), body, Some(self.generators.clone())))
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}
