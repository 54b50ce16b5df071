//! What a thread keeps for [`Owned`](super::Owned) and [`OwnedPool`](super::OwnedPool): the value,
//! its maker, and whether the value may be lent again.
//!
//! Invariants:
//! - All code of users (makers, calls, checks) runs inside a job, which catches its panic and
//!   passes it to the caller. The destructor of the value runs outside of jobs, where a panic is
//!   caught and only reported.
//! - `spoiled` is set while a call has the value. So an unwind leaves it set.
//! - A value is dropped before another one is made in its place.

use std::error::Error;
use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use crate::offload::job::{Waiter, quietly};
use crate::offload::owned::error::OwnedError;
use crate::offload::worker::Keep;
use crate::sched::lowlevel::locked;

pub(super) type AnyError = Box<dyn Error + Send + Sync>;

/// Makes a value, on the thread that keeps it.
pub(super) type Maker<T> = Box<dyn FnMut() -> Result<T, AnyError>>;

/// The maker that all threads of a pool share.
pub(super) type SharedMaker<T> = Arc<dyn Fn() -> Result<T, AnyError> + Send + Sync>;

/// Returns whether a value may be used again.
type Check<T> = Arc<dyn Fn(&mut T) -> bool + Send + Sync>;

/// The settings that decide when a value is replaced.
pub(super) struct Rules<T> {
    pub(super) keep_if: Option<Check<T>>,
    pub(super) replace_after_abandoned_call: bool,
}

impl<T> Default for Rules<T> {
    fn default() -> Rules<T> {
        Rules { keep_if: None, replace_after_abandoned_call: false }
    }
}

impl<T> Clone for Rules<T> {
    fn clone(&self) -> Rules<T> {
        Rules { keep_if: self.keep_if.clone(), ..*self }
    }
}

/// The state that the threads of a crew and its callers share.
pub(super) struct Shared<T> {
    rules: Rules<T>,
    /// Makes the value of each new thread of a pool. An `Owned` passes its maker to its thread.
    maker: Option<SharedMaker<T>>,
    /// The threads that keep a value, or may make one.
    threads: Mutex<Vec<ThreadId>>,
    /// Number of calls that have begun.
    calls: AtomicU64,
    /// Number of values that were spoiled.
    replaced: AtomicU64,
}

impl<T> Shared<T> {
    pub(super) fn new(rules: Rules<T>, maker: Option<SharedMaker<T>>) -> Shared<T> {
        let (calls, replaced) = (AtomicU64::new(0), AtomicU64::new(0));
        Shared { rules, maker, threads: Mutex::default(), calls, replaced }
    }

    /// Returns whether the caller runs on a thread that keeps a value: inside a call, or inside a
    /// maker or destructor.
    pub(super) fn is_nested(&self) -> bool {
        locked(&self.threads).contains(&thread::current().id())
    }

    /// Returns the number of calls that have begun, and of values that were replaced.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.calls.load(Ordering::Relaxed), self.replaced.load(Ordering::Relaxed))
    }
}

/// The value of one thread.
pub(super) struct Kept<T: 'static> {
    shared: Arc<Shared<T>>,
    value: Option<T>,
    /// Makes the value, if it can be made again.
    maker: Option<Maker<T>>,
    spoiled: bool,
}

impl<T> Kept<T> {
    /// Stores the first value, and its maker, if that can make another one.
    pub(super) fn install(&mut self, value: T, maker: Option<Maker<T>>) {
        self.value = Some(value);
        self.maker = maker;
    }

    /// Lends the value to `f`, and makes it first if there is none.
    pub(super) fn call<R>(&mut self, f: impl FnOnce(&mut T) -> R) -> Result<R, OwnedError> {
        if self.value.is_none() {
            let maker = self.maker.as_mut().ok_or(OwnedError::Poisoned)?;
            self.value = Some(maker().map_err(|error| OwnedError::Maker(error.into()))?);
        }
        let value = self.value.as_mut().expect("made above");
        let Shared { rules, calls, replaced, .. } = &*self.shared;
        calls.fetch_add(1, Ordering::Relaxed);
        self.spoiled = true;
        let counts = CountOnDrop(replaced);
        let result = f(value);
        if rules.keep_if.as_ref().is_none_or(|keep| keep(value)) {
            self.spoiled = false;
            mem::forget(counts);
        }
        Ok(result)
    }

    fn drop_value(&mut self) {
        if let Some(value) = self.value.take() {
            quietly(move || drop(value));
        }
    }
}

/// Counts a value as spoiled, before the caller of the call that has spoiled it goes on.
struct CountOnDrop<'a>(&'a AtomicU64);

impl Drop for CountOnDrop<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl<T> Keep for Kept<T> {
    type Shared = Arc<Shared<T>>;

    /// Creates the place for the value of this thread, without a value.
    fn new(shared: &Arc<Shared<T>>) -> Kept<T> {
        locked(&shared.threads).push(thread::current().id());
        let maker = shared.maker.clone();
        let maker = maker.map(|maker| -> Maker<T> { Box::new(move || maker()) });
        Kept { shared: shared.clone(), value: None, maker, spoiled: false }
    }

    fn after_task(&mut self, waiter: Waiter) {
        let Shared { rules, replaced, .. } = &*self.shared;
        let abandoned = waiter == Waiter::HasLeft && rules.replace_after_abandoned_call;
        if abandoned && !self.spoiled && self.value.is_some() {
            self.spoiled = true;
            replaced.fetch_add(1, Ordering::Relaxed);
        }
        if mem::take(&mut self.spoiled) {
            self.drop_value();
        }
    }

    fn clear(&mut self) {
        self.drop_value();
        if let Some(maker) = self.maker.take_if(|_| self.shared.maker.is_none()) {
            quietly(move || drop(maker));
        }
    }
}

impl<T> Drop for Kept<T> {
    fn drop(&mut self) {
        let me = thread::current().id();
        locked(&self.shared.threads).retain(|thread| *thread != me);
    }
}

impl<T> fmt::Debug for Rules<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("has_check", &self.keep_if.is_some())
            .field("replace_after_abandoned_call", &self.replace_after_abandoned_call)
            .finish()
    }
}

impl<T> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (calls, replaced) = self.counts();
        f.debug_struct("Shared").field("calls", &calls).field("replaced", &replaced).finish()
    }
}
