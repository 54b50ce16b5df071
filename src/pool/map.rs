//! `apply` and `map`: work that is waited for, so that it may borrow.
//!
//! ```text
//!   caller:  pull an item -> wait for a place -> spawn a member of the nursery -> pull the next
//!                                                     |
//!            take in the results of those that have ended; the first failure kills the others
//! ```
//!
//! Invariants:
//! - One item at most is pulled and has no member yet: the source is never more than `size` + 1
//!   items ahead of what has ended.
//! - All members have ended when the call returns or unwinds: the nursery holds that.
//! - The source runs on the caller, in its place of the code: its panic is the caller's, and not a
//!   failure of a member.
//! - Results, and what has ended the call before its time, are kept outside of the nursery: the destructor
//!   of a result may wait, and a nursery that has failed unwinds whatever waits in it.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;

use crate::collections::slot_table::Key;
use crate::fiber::exit::{self, JoinError};
use crate::fiber::panic::Panic;
use crate::pool::bounded::{PLACE, PLACE_OR_ERROR, Pool};
use crate::pool::places::{Seat, join_error};
use crate::pool::roll::{Handles, Roll};
use crate::sched::api::scope::{self, Scope, ScopedJoinHandle};
use crate::sched::api::shield::shield;
use crate::sched::lowlevel::{Here, Interrupt, OnDeadlock, WaitReason, here, spend};

static RESULTS: WaitReason =
    WaitReason::new("waiting for the results of a pool's `map`", OnDeadlock::Fail);

impl Pool {
    /// Runs `f` as a member, waiting while the pool is full, and returns what it returns.
    ///
    /// Called by a member it just calls `f`: the caller has a place already. `f` may borrow.
    ///
    /// # Panics
    ///
    /// With the panic of `f`; if the pool was closed or killed; outside of a fiber; and with a
    /// report if no place can ever become free. [`spawn`](Pool::spawn) and `join` give errors.
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
        let here = here();
        if self.places.key_of(here.fiber.id()).is_some() {
            return f();
        }
        self.refuse_closed(here);
        spend(here);
        let entered = match self.places.enter(here, None, &PLACE) {
            Ok(entered) => entered,
            Err(interrupt) => interrupt.into_panic(),
        };
        let seat = self.places.seat(entered);
        match scope::scope(|scope| self.start_in(scope, seat, f).join()) {
            Ok(output) => output,
            Err(JoinError::Panicked(panic)) => panic.resume(),
            Err(error) => panic!("the pool could not apply the closure: {error}"),
        }
    }

    /// Calls `f` with each item, each call in a member of its own, and returns the results in the
    /// order of the items.
    ///
    /// The first call that fails kills the others, and `map` returns when all have ended. Items are
    /// taken from the source as fast as members end: it is at most `size` + 1 items ahead. `f` and
    /// the items may borrow.
    ///
    /// # Errors
    ///
    /// The error of the first member that failed: [`JoinError::Panicked`], or
    /// [`JoinError::Killed`] if somebody killed it or the pool. [`JoinError::Deadlock`] if the
    /// members will never end.
    ///
    /// # Panics
    ///
    /// With the panic of the source; if the pool was closed; outside of a fiber.
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
        let here = here();
        spend(here);
        self.refuse_closed(here);
        let mut source = items.into_iter();
        let away = self.places.step_out(here);
        let (mut results, mut stop) = (Vec::new(), None);
        let body = || {
            scope::nursery(|nursery| {
                let mut mapping = Mapping::new(self, nursery, &f, &mut results);
                stop = mapping.run(here, &mut source).err();
                if stop.is_some() {
                    nursery.kill();
                }
                mapping.discard();
            });
        };
        let caught = panic::catch_unwind(AssertUnwindSafe(body));
        let outcome = match (stop, caught) {
            // The caller itself was killed, or a time limit around it has passed.
            (_, Err(payload)) if exit::is_unwind(&*payload) => panic::resume_unwind(payload),
            (Some(Stop::Source(payload)), _) => panic::resume_unwind(payload),
            (Some(Stop::Failed(error)), _) => Err(error),
            // A member panicked while this fiber was not looking at the members.
            (None, Err(payload)) => Err(JoinError::Panicked(Panic::new(payload))),
            (None, Ok(())) => Ok(results.into_iter().flatten().collect()),
        };
        let back = away.map_or(Ok(()), |away| away.back(here, &PLACE_OR_ERROR));
        outcome.and_then(|results| back.map(|()| results).map_err(join_error))
    }

    #[track_caller]
    fn start_in<'scope, F, T>(
        &self,
        scope: &'scope Scope<'scope, '_>,
        seat: Seat<'_>,
        f: F,
    ) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + 'scope,
        T: 'scope,
    {
        let handle = scope.spawn_with(self.builder.clone(), f);
        seat.occupy(handle.fiber());
        handle
    }
}

/// Why a `map` ended before its time.
enum Stop {
    Failed(JoinError),
    /// The source panicked with this.
    Source(Box<dyn Any + Send>),
}

/// A `map` under way, inside its nursery.
struct Mapping<'scope, 'env, 'a, F, U> {
    pool: &'a Pool,
    nursery: &'scope Scope<'scope, 'env>,
    f: &'scope F,
    roll: Rc<Roll>,
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
        let (roll, handles) = (Roll::new(), Handles::new());
        Mapping { pool, nursery, f, roll, handles, results }
    }

    /// Drops the outputs that were not taken in. Their destructors are clean-up, as those of the members
    /// are: they are not cut short by the end of the nursery.
    fn discard(self) {
        shield(|| drop(self.handles));
    }

    /// Works the source off. Leaves early when something fails.
    #[track_caller]
    fn run<I>(&mut self, here: Here, source: &mut I) -> Result<(), Stop>
    where
        I: Iterator,
        I::Item: 'scope,
        F: Fn(I::Item) -> U,
    {
        while let Some(item) = pull(source)? {
            spend(here);
            let entered = self.pool.places.enter(here, None, &PLACE_OR_ERROR).map_err(Stop::cut)?;
            self.start(self.pool.places.seat(entered), item);
            while let Some(key) = self.roll.take_ended() {
                self.take_in(key)?;
            }
        }
        while let Some(key) = self.roll.next_ended(here, &RESULTS).map_err(Stop::cut)? {
            self.take_in(key)?;
        }
        debug_assert!(self.results.iter().all(Option::is_some), "each item has a result");
        Ok(())
    }

    #[track_caller]
    fn start<T>(&mut self, seat: Seat<'_>, item: T)
    where
        T: 'scope,
        F: Fn(T) -> U,
    {
        let (f, enrolled) = (self.f, self.roll.enrol());
        let handle = self.pool.start_in(self.nursery, seat, move || f(item));
        let (key, fiber) = (enrolled.key(), handle.fiber().clone());
        self.handles.put(key, (self.results.len(), handle));
        self.results.push(None);
        enrolled.follow(&fiber);
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

/// The next item. A panic of the source is told from what unwinds this fiber.
fn pull<I: Iterator>(source: &mut I) -> Result<Option<I::Item>, Stop> {
    match panic::catch_unwind(AssertUnwindSafe(|| source.next())) {
        Ok(item) => Ok(item),
        Err(payload) if exit::is_unwind(&*payload) => panic::resume_unwind(payload),
        Err(payload) => Err(Stop::Source(payload)),
    }
}
