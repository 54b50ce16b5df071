//! `apply` and `map`: work that the caller waits for, so that it may borrow.
//!
//! ```text
//!   caller:  pull an item -> wait for a permit -> spawn a member in the nursery -> pull the next
//!                                                     |
//!            take the results of members that have ended; the first failure kills the others
//! ```
//!
//! Invariants:
//! - At most one item was pulled and has no member yet: the source is never more than `size` + 1
//!   items ahead of the members that have ended.
//! - All members have ended when the call returns or unwinds: the nursery ensures that.
//! - The source runs on the calling fiber: its panic is the caller's, and not the failure of a
//!   member.
//! - Results, and the reason why the call ended early, are kept outside of the nursery: the
//!   destructor of a result may wait, and a nursery that has failed unwinds all waits inside it.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;

use crate::collections::slot_table::Key;
use crate::fiber::exit::{self, JoinError};
use crate::fiber::panic::Panic;
use crate::pool::bounded::{PERMIT, PERMIT_OR_ERROR, Pool};
use crate::pool::completions::{Completions, Handles};
use crate::pool::permits::{Reservation, join_error};
use crate::sched::api::scope::{self, Scope, ScopedJoinHandle};
use crate::sched::api::shield::shield;
use crate::sched::lowlevel::{
    CurrentFiber, Interrupt, OnDeadlock, WaitReason, current_fiber, spend,
};

static RESULTS: WaitReason =
    WaitReason::new("waiting for the results of a pool's `map`", OnDeadlock::Fail);

impl Pool {
    /// Runs `f` as a member, waiting while the pool is full, and returns its output. `f` may
    /// borrow.
    ///
    /// If the caller is a member, it only calls `f`, because it has a permit already.
    ///
    /// # Panics
    ///
    /// Panics with the panic of `f`; if the pool was closed or killed; outside of a fiber; and with
    /// a report if no permit can ever become free. [`spawn`](Pool::spawn) and `join` return errors.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let pool = fibra::pool::Pool::new(1);
    ///     let name = String::from("green");
    ///     let length = pool.apply(|| pool.apply(|| name.len()));
    ///     assert_eq!(length, 5);
    /// });
    /// ```
    #[track_caller]
    pub fn apply<F, T>(&self, f: F) -> T
    where
        F: FnOnce() -> T,
    {
        let current = current_fiber();
        if self.permits.key_of(current.fiber.id()).is_some() {
            return f();
        }
        self.refuse_closed(current);
        spend(current);
        let acquired = match self.permits.acquire(current, None, &PERMIT) {
            Ok(acquired) => acquired,
            Err(interrupt) => interrupt.into_panic(),
        };
        let reservation = self.permits.reserve(acquired);
        match scope::scope(|scope| self.start_in(scope, reservation, f).join()) {
            Ok(output) => output,
            Err(JoinError::Panicked(panic)) => panic.resume(),
            Err(error) => panic!("the pool could not apply the closure: {error}"),
        }
    }

    /// Calls `f` with each item, each call in a member of its own, and returns the results in the
    /// order of the items. `f` and the items may borrow.
    ///
    /// The first call that fails kills the others, and `map` returns when all have ended. The next
    /// item is pulled whenever a permit is free: the source is at most `size` + 1 items ahead of
    /// the calls that have ended.
    ///
    /// # Errors
    ///
    /// Returns the error of the first member that failed: [`JoinError::Panicked`], or
    /// [`JoinError::Killed`] if the member or the pool was killed. Returns [`JoinError::Deadlock`]
    /// if the members will never end.
    ///
    /// # Panics
    ///
    /// Panics with the panic of the source; if the pool was closed; outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let words = vec![String::from("green"), String::from("threads")];
    ///     let lengths = fibra::pool::Pool::new(2).map(&words, |word| word.len());
    ///     assert_eq!(lengths.unwrap(), [5, 7]);
    /// });
    /// ```
    #[track_caller]
    pub fn map<I, F, U>(&self, items: I, f: F) -> Result<Vec<U>, JoinError>
    where
        I: IntoIterator,
        F: Fn(I::Item) -> U,
    {
        let current = current_fiber();
        spend(current);
        self.refuse_closed(current);
        let mut source = items.into_iter();
        let released = self.permits.release_current(current);
        let (mut results, mut stop) = (Vec::new(), None);
        let body = || {
            scope::nursery(|nursery| {
                let mut mapping = Mapping::new(self, nursery, &f, &mut results);
                stop = mapping.run(current, &mut source).err();
                if stop.is_some() {
                    nursery.kill();
                }
                mapping.discard();
            });
        };
        let caught = panic::catch_unwind(AssertUnwindSafe(body));
        let outcome = match (stop, caught) {
            // The caller itself was killed, or a time limit around the call has passed.
            (_, Err(payload)) if exit::is_unwind(&*payload) => panic::resume_unwind(payload),
            (Some(Stop::Source(payload)), _) => panic::resume_unwind(payload),
            (Some(Stop::Failed(error)), _) => Err(error),
            // A member panicked while this fiber was not looking at the members.
            (None, Err(payload)) => Err(JoinError::Panicked(Panic::new(payload))),
            (None, Ok(())) => Ok(results.into_iter().flatten().collect()),
        };
        let reacquired =
            released.map_or(Ok(()), |released| released.reacquire(current, &PERMIT_OR_ERROR));
        outcome.and_then(|results| reacquired.map(|()| results).map_err(join_error))
    }

    #[track_caller]
    fn start_in<'scope, F, T>(
        &self,
        scope: &'scope Scope<'scope, '_>,
        reservation: Reservation<'_>,
        f: F,
    ) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + 'scope,
        T: 'scope,
    {
        let handle = scope.spawn_with(self.builder.clone(), f);
        reservation.assign(handle.fiber());
        handle
    }
}

/// The reason why a `map` ended early.
enum Stop {
    Failed(JoinError),
    /// The source panicked with this payload.
    Source(Box<dyn Any + Send>),
}

/// A running `map`, inside its nursery.
struct Mapping<'scope, 'env, 'a, F, U> {
    pool: &'a Pool,
    nursery: &'scope Scope<'scope, 'env>,
    f: &'scope F,
    completions: Rc<Completions>,
    handles: Handles<(usize, ScopedJoinHandle<'scope, U>)>,
    results: &'a mut Vec<Option<U>>,
}

impl<'scope, 'env, 'a, F, U> Mapping<'scope, 'env, 'a, F, U>
where
    U: 'scope,
{
    fn new(
        pool: &'a Pool,
        nursery: &'scope Scope<'scope, 'env>,
        f: &'scope F,
        results: &'a mut Vec<Option<U>>,
    ) -> Mapping<'scope, 'env, 'a, F, U> {
        let (completions, handles) = (Completions::new(), Handles::new());
        Mapping { pool, nursery, f, completions, handles, results }
    }

    /// Drops the outputs that were not taken. Their destructors are clean-up, like those of the
    /// members: the end of the nursery does not interrupt them.
    fn discard(self) {
        shield(|| drop(self.handles));
    }

    /// Maps all items of the source. Returns early when something fails.
    #[track_caller]
    fn run<I>(&mut self, current: CurrentFiber, source: &mut I) -> Result<(), Stop>
    where
        I: Iterator,
        I::Item: 'scope,
        F: Fn(I::Item) -> U,
    {
        while let Some(item) = pull(source)? {
            spend(current);
            let acquired =
                self.pool.permits.acquire(current, None, &PERMIT_OR_ERROR).map_err(Stop::cut)?;
            self.start(self.pool.permits.reserve(acquired), item);
            while let Some(key) = self.completions.take_ended() {
                self.take_in(key)?;
            }
        }
        while let Some(key) = self.completions.next_ended(current, &RESULTS).map_err(Stop::cut)? {
            self.take_in(key)?;
        }
        debug_assert!(self.results.iter().all(Option::is_some), "each item has a result");
        Ok(())
    }

    #[track_caller]
    fn start<T>(&mut self, reservation: Reservation<'_>, item: T)
    where
        T: 'scope,
        F: Fn(T) -> U,
    {
        let (f, registration) = (self.f, self.completions.register());
        let handle = self.pool.start_in(self.nursery, reservation, move || f(item));
        let (key, fiber) = (registration.key(), handle.fiber().clone());
        self.handles.put(key, (self.results.len(), handle));
        self.results.push(None);
        registration.watch(&fiber);
    }

    #[track_caller]
    fn take_in(&mut self, key: Key) -> Result<(), Stop> {
        let Some((index, handle)) = self.handles.take(key) else { return Ok(()) };
        self.results[index] = Some(handle.join().map_err(Stop::Failed)?);
        Ok(())
    }
}

impl Stop {
    fn cut(interrupt: Interrupt) -> Stop {
        Stop::Failed(join_error(interrupt))
    }
}

/// Pulls the next item. Returns a panic of the source as an error, but lets an unwind of this fiber
/// pass.
fn pull<I: Iterator>(source: &mut I) -> Result<Option<I::Item>, Stop> {
    match panic::catch_unwind(AssertUnwindSafe(|| source.next())) {
        Ok(item) => Ok(item),
        Err(payload) if exit::is_unwind(&*payload) => panic::resume_unwind(payload),
        Err(payload) => Err(Stop::Source(payload)),
    }
}
