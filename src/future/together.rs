//! Several futures in one: all of them, or the first.
//!
//! Invariant: a future is dropped as soon as it is ready.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::future::woken::{ChildWaker, Woken};

/// Returns a future of the outputs of all `futures`, in their order. They make progress at the same
/// time, in one task; each is polled only when it was woken.
///
/// The handles of fibers are futures, too. A fiber can wait for them directly, with
/// [`pool::join_all`](crate::pool::join_all).
///
/// # Examples
///
/// ```
/// use fibra::future::{block_on, join_all};
///
/// fibra::run(|| {
///     let fibers = (1..=3).map(|n| fibra::spawn(move || 10 / n));
///     let outcomes = block_on(join_all(fibers));
///     assert_eq!(outcomes.into_iter().map(Result::unwrap).sum::<u32>(), 18);
/// });
/// ```
#[doc(alias = "gather")]
pub fn join_all<I>(futures: I) -> JoinAll<<I::Item as IntoFuture>::IntoFuture>
where
    I: IntoIterator<Item: IntoFuture>,
{
    let woken = Woken::default();
    let children = futures
        .into_iter()
        .enumerate()
        .map(|(index, future)| Child { state: MaybeDone::new(future), waker: woken.waker(index) });
    let children: Vec<_> = children.collect();
    JoinAll { left: children.len(), children, woken }
}

/// Returns a future of the output of the first of `futures` that is ready, and drops the others
/// then. Each poll polls them from the first to the last.
///
/// A fiber whose [`JoinHandle`](crate::JoinHandle) loses goes on; [`pool::race`](crate::pool::race)
/// runs closures, and ends the losers.
///
/// # Panics
///
/// Panics if there is no future.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fibra::future::{block_on, race, sleep};
///
/// fibra::run(|| {
///     let naps = [3_000, 1, 2_000].map(|ms| async move {
///         sleep(Duration::from_millis(ms)).await;
///         ms
///     });
///     assert_eq!(block_on(race(naps)), 1);
/// });
/// ```
#[track_caller]
pub fn race<I>(futures: I) -> Race<<I::Item as IntoFuture>::IntoFuture>
where
    I: IntoIterator<Item: IntoFuture>,
{
    let runners: Vec<_> =
        futures.into_iter().map(|future| Box::pin(future.into_future())).collect();
    assert!(!runners.is_empty(), "a race of no futures has no winner: pass at least one");
    Race { runners }
}

/// A future of the outputs of several others, made by [`join_all`].
#[must_use = "futures do nothing unless they are polled"]
pub struct JoinAll<F: Future> {
    children: Vec<Child<F>>,
    /// The number of children that are not ready.
    left: usize,
    woken: Woken,
}

struct Child<F: Future> {
    state: MaybeDone<F>,
    waker: ChildWaker,
}

/// It contains no pinned data: the futures are in boxes.
impl<F: Future> Unpin for JoinAll<F> {}

impl<F: Future> Future for JoinAll<F> {
    type Output = Vec<F::Output>;

    /// Returns the outputs if all futures are ready.
    ///
    /// # Panics
    ///
    /// Panics if an earlier poll has returned them.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Vec<F::Output>> {
        for index in self.woken.take(cx.waker()) {
            let Child { state, waker } = &mut self.children[index];
            let mut cx = Context::from_waker(waker.begin_poll());
            if !state.is_done() && state.poll_done(&mut cx) {
                self.left -= 1;
            }
        }
        if self.left != 0 {
            return Poll::Pending;
        }
        self.woken.forget_parent();
        Poll::Ready(self.children.iter_mut().map(|child| child.state.take()).collect())
    }
}

/// A future of the output of the first of several others, made by [`race`].
#[must_use = "futures do nothing unless they are polled"]
pub struct Race<F> {
    runners: Vec<Pin<Box<F>>>,
}

impl<F: Future> Future for Race<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut ready =
            self.runners.iter_mut().filter_map(|runner| match runner.as_mut().poll(cx) {
                Poll::Ready(output) => Some(output),
                Poll::Pending => None,
            });
        let Some(output) = ready.next() else { return Poll::Pending };
        let losers = mem::take(&mut self.runners);
        drop(losers);
        Poll::Ready(output)
    }
}

/// A future, then its output.
#[doc(hidden)]
pub struct MaybeDone<F: Future> {
    future: Option<Pin<Box<F>>>,
    output: Option<F::Output>,
}

/// Neither the box nor the output is pinned.
impl<F: Future> Unpin for MaybeDone<F> {}

#[doc(hidden)]
impl<F: Future> MaybeDone<F> {
    pub fn new(future: impl IntoFuture<IntoFuture = F, Output = F::Output>) -> MaybeDone<F> {
        MaybeDone { future: Some(Box::pin(future.into_future())), output: None }
    }

    fn is_done(&self) -> bool {
        self.future.is_none()
    }

    /// Polls the future, unless it was ready before. Returns whether it is ready.
    pub fn poll_done(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(future) = &mut self.future else { return true };
        let Poll::Ready(output) = future.as_mut().poll(cx) else { return false };
        self.output = Some(output);
        self.future = None;
        true
    }

    /// Takes the output.
    #[allow(clippy::missing_panics_doc, reason = "used by macros only")]
    pub fn take(&mut self) -> F::Output {
        self.output.take().expect("the futures were polled again after they were ready")
    }
}

impl<F: Future> fmt::Debug for MaybeDone<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaybeDone").field("is_done", &self.is_done()).finish()
    }
}

impl<F: Future> fmt::Debug for JoinAll<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinAll").field("left", &self.left).finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for Race<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Race").field("runners", &self.runners.len()).finish()
    }
}
