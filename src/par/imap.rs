//! A stream of results that are computed on all schedulers, a bounded number ahead.
//!
//! Invariants:
//! - At most `window` items were taken from the source whose results were not returned.
//! - Results come in the order of the items. A wait that is interrupted loses none: the job that it
//!   waited for stays the first one.

use std::collections::VecDeque;
use std::fmt;
use std::iter::FusedIterator;
use std::num::NonZero;
use std::sync::Arc;

use crate::fiber::exit::JoinError;
use crate::jobs::handle::Handle;
use crate::jobs::remote_handle::RemoteHandle;

/// The number of items that are computed ahead, for each thread.
const AHEAD: usize = 4;

/// Computes `f` for the items of an iterator, as jobs of the runtime, and returns an iterator over
/// the results, in the order of the items.
///
/// It takes four items for each scheduler ahead, and more only as results are taken: a slow
/// consumer stops the computation. `f` may wait. The source is polled by the fiber that takes the
/// results. When the iterator is dropped, the jobs that are left are killed.
///
/// # Panics
///
/// Panics outside of a fiber. `next` panics with the panic of `f`.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// fibra::Runtime::builder().all_cores().build()?.run(|| {
///     let squares = fibra::par::imap(1_u64.., |n| n * n); // an endless source
///     assert_eq!(squares.take(4).collect::<Vec<_>>(), [1, 4, 9, 16]);
/// });
/// # Ok(())
/// # }
/// ```
#[track_caller]
#[doc(alias("buffered", "imap_unordered"))]
pub fn imap<I, U, F>(source: I, f: F) -> Imap<I::IntoIter, U, F>
where
    I: IntoIterator,
    I::Item: Send + 'static,
    F: Fn(I::Item) -> U + Send + Sync + 'static,
    U: Send + 'static,
{
    let ahead = AHEAD * Handle::current().threads();
    imap_within(NonZero::new(ahead).unwrap_or(NonZero::<usize>::MIN), source, f)
}

/// Computes `f` like [`imap`], with up to `window` items ahead of the consumer.
///
/// # Panics
///
/// Like [`imap`].
///
/// # Examples
///
/// ```
/// use std::num::NonZero;
///
/// # fn main() -> std::io::Result<()> {
/// fibra::Runtime::builder().all_cores().build()?.run(|| {
///     let window = NonZero::new(100).unwrap();
///     let doubled = fibra::par::imap_within(window, 0..1000_u64, |n| 2 * n);
///     assert_eq!(doubled.sum::<u64>(), 999_000);
/// });
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn imap_within<I, U, F>(window: NonZero<usize>, source: I, f: F) -> Imap<I::IntoIter, U, F>
where
    I: IntoIterator,
    I::Item: Send + 'static,
    F: Fn(I::Item) -> U + Send + Sync + 'static,
    U: Send + 'static,
{
    Imap {
        handle: Handle::current(),
        source: source.into_iter(),
        f: Arc::new(f),
        window: window.get(),
        jobs: VecDeque::new(),
    }
}

/// An iterator over results that are computed on all schedulers: see [`imap`].
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// fibra::Runtime::builder().threads(2).build()?.run(|| {
///     let mut lengths = fibra::par::imap(["green", "threads"], str::len);
///     assert_eq!((lengths.next(), lengths.next(), lengths.next()), (Some(5), Some(7), None));
/// });
/// # Ok(())
/// # }
/// ```
pub struct Imap<I, U, F> {
    handle: Handle,
    source: I,
    f: Arc<F>,
    window: usize,
    jobs: VecDeque<RemoteHandle<U>>,
}

impl<I, U, F> Iterator for Imap<I, U, F>
where
    I: Iterator,
    I::Item: Send + 'static,
    F: Fn(I::Item) -> U + Send + Sync + 'static,
    U: Send + 'static,
{
    type Item = U;

    #[track_caller]
    fn next(&mut self) -> Option<U> {
        while self.jobs.len() < self.window {
            let Some(item) = self.source.next() else { break };
            let f = self.f.clone();
            self.jobs.push_back(self.handle.spawn(move || f(item)));
        }
        let outcome = self.jobs.front_mut()?.join_in_place();
        if !matches!(outcome, Err(JoinError::CallerKilled | JoinError::Deadlock(_))) {
            self.jobs.pop_front();
        }
        match outcome {
            Ok(result) => Some(result),
            Err(JoinError::Panicked(panic)) => panic.resume(),
            Err(error) => panic!("a result could not be computed: {error}"),
        }
    }
}

impl<I, U, F> FusedIterator for Imap<I, U, F>
where
    I: FusedIterator,
    I::Item: Send + 'static,
    F: Fn(I::Item) -> U + Send + Sync + 'static,
    U: Send + 'static,
{
}

impl<I, U, F> Drop for Imap<I, U, F> {
    fn drop(&mut self) {
        self.jobs.iter().for_each(RemoteHandle::kill);
    }
}

impl<I, U, F> fmt::Debug for Imap<I, U, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Imap")
            .field("window", &self.window)
            .field("ahead", &self.jobs.len())
            .finish_non_exhaustive()
    }
}
