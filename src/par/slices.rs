//! Computations over slices, divided among the schedulers of a runtime.
//!
//! ```text
//!   slice: [ by thread 0 | by thread 1 | by thread 0 | .. the rest, in ever smaller chunks ]
//! ```
//!
//! Invariants:
//! - Each item is taken once: a chunk is split off under a lock.
//! - Chunks get smaller towards the end, so that the threads finish at about the same time.
//! - A call that returns has computed all items: it counts those of finished chunks.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::collections::locked::locked;
use crate::jobs::handle::Handle;
use crate::par::scope::scope;
use crate::sched::core::park::yield_now;

/// The number of chunks, for each thread, into which the rest of a slice is thought to be divided
/// when the next chunk is taken. More chunks cost more, and divide the work more evenly.
const CHUNKS: usize = 8;

/// Computes `f` for each item, on all schedulers of the runtime, and returns the results in the
/// order of the items.
///
/// The items are divided among as many jobs as there are schedulers, one of which is the current
/// fiber. The jobs take chunks until none is left, so it does not matter if some items take longer
/// than others. If `f` waits, it makes the other items of its chunk wait: for that use a
/// [`scope`](crate::par::scope()) or [`imap`](crate::par::imap()).
///
/// # Panics
///
/// Panics outside of a fiber, and with the first panic of `f`, after all jobs have ended. Also
/// panics if a job was killed while it computed.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// fibra::Runtime::builder().all_cores().build()?.run(|| {
///     let numbers: Vec<u64> = (0..1000).collect();
///     let squares = fibra::par::map(&numbers, |n| n * n);
///     assert_eq!(squares.iter().sum::<u64>(), 332_833_500);
/// });
/// # Ok(())
/// # }
/// ```
#[track_caller]
#[doc(alias("par_iter", "gather"))]
pub fn map<T, U, F>(items: &[T], f: F) -> Vec<U>
where
    T: Sync,
    U: Send,
    F: Fn(&T) -> U + Sync,
{
    let done = Mutex::new(Vec::new());
    divide(items, |at, chunk| {
        let results: Vec<U> = chunk.iter().map(&f).collect();
        locked(&done).push((at, results));
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_unstable_by_key(|&(at, _)| at);
    let mut all = Vec::with_capacity(items.len());
    done.into_iter().for_each(|(_, results)| all.extend(results));
    all
}

/// Calls `f` for each item, on all schedulers of the runtime, like [`map`].
///
/// # Panics
///
/// Like [`map`].
///
/// # Examples
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// # fn main() -> std::io::Result<()> {
/// fibra::Runtime::builder().all_cores().build()?.run(|| {
///     let total = AtomicU64::new(0);
///     fibra::par::for_each(&[1, 2, 3, 4], |n| {
///         total.fetch_add(*n, Ordering::Relaxed);
///     });
///     assert_eq!(total.into_inner(), 10);
/// });
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn for_each<T, F>(items: &[T], f: F)
where
    T: Sync,
    F: Fn(&T) + Sync,
{
    divide(items, |_, chunk| chunk.iter().for_each(&f));
}

/// Calls `f` for each item, which it may change, on all schedulers of the runtime, like [`map`].
///
/// # Panics
///
/// Like [`map`].
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// fibra::Runtime::builder().all_cores().build()?.run(|| {
///     let mut numbers = [1, 2, 3];
///     fibra::par::for_each_mut(&mut numbers, |n| *n *= 10);
///     assert_eq!(numbers, [10, 20, 30]);
/// });
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn for_each_mut<T, F>(items: &mut [T], f: F)
where
    T: Send,
    F: Fn(&mut T) + Sync,
{
    divide(items, |_, chunk| chunk.iter_mut().for_each(&f));
}

/// A slice that can be divided.
trait Divide: Send {
    fn len(&self) -> usize;

    /// Splits the first `n` items off.
    fn take_first(&mut self, n: usize) -> Self;
}

impl<T: Sync> Divide for &[T] {
    fn len(&self) -> usize {
        <[T]>::len(self)
    }

    fn take_first(&mut self, n: usize) -> Self {
        let (first, rest) = self.split_at(n);
        *self = rest;
        first
    }
}

impl<T: Send> Divide for &mut [T] {
    fn len(&self) -> usize {
        <[T]>::len(self)
    }

    fn take_first(&mut self, n: usize) -> Self {
        let (first, rest) = std::mem::take(self).split_at_mut(n);
        *self = rest;
        first
    }
}

/// Calls `work` with chunks of `slice`, each with the index of its first item, on all schedulers.
#[track_caller]
fn divide<S: Divide>(slice: S, work: impl Fn(usize, S) + Sync) {
    let threads = Handle::current().threads();
    let (len, finished) = (slice.len(), AtomicUsize::new(0));
    let rest = Mutex::new((0, slice));
    let next = || {
        let mut rest = locked(&rest);
        let (at, slice) = &mut *rest;
        if slice.len() == 0 {
            return None;
        }
        let n = (slice.len() / (threads * CHUNKS)).max(1);
        let first = *at;
        *at += n;
        Some((first, slice.take_first(n)))
    };
    let work_off = || {
        while let Some((at, chunk)) = next() {
            let of_chunk = chunk.len();
            work(at, chunk);
            // Relaxed: read after the end of all jobs.
            finished.fetch_add(of_chunk, Ordering::Relaxed);
            yield_now();
        }
    };
    scope(|s| {
        for _ in 1..threads {
            s.spawn(work_off);
        }
        work_off();
    });
    assert!(
        finished.into_inner() == len,
        "a job was killed before it had computed its part of the slice"
    );
}
