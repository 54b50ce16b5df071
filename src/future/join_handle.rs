//! The handles of fibers as futures: `handle.await`.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::fiber::exit::JoinError;
use crate::sched::api::completion::Completion;
use crate::sched::api::join::JoinHandle;
use crate::sched::core::scheduler::current_fiber;

/// The end of a fiber as a future, made from a [`JoinHandle`] by `await`, or by anything else that
/// takes an [`IntoFuture`]. Its output is the result of [`JoinHandle::join`].
///
/// If it is dropped, the fiber is detached, like by the drop of its handle. (A
/// [`FiberFuture`](crate::future::FiberFuture) kills its fiber.) It may be polled and dropped on
/// any thread if its output is `Send`.
///
/// # Examples
///
/// ```
/// use fibra::future::block_on;
///
/// fibra::run(|| {
///     let fiber = fibra::spawn(|| 6 * 7);
///     assert_eq!(block_on(async { fiber.await.unwrap() + 1 }), 43);
/// });
/// ```
#[must_use = "futures do nothing unless they are polled"]
pub struct JoinFuture<T> {
    state: State<T>,
}

enum State<T> {
    Waits(Completion<T>),
    /// It had ended before. The outcome is taken once.
    Ended(Option<Result<T, JoinError>>),
}

impl<T: 'static> IntoFuture for JoinHandle<T> {
    type Output = Result<T, JoinError>;
    type IntoFuture = JoinFuture<T>;

    /// Returns a future of the fiber's outcome.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber, unless the fiber has ended.
    #[track_caller]
    fn into_future(mut self) -> JoinFuture<T> {
        let state = match self.try_join() {
            Some(outcome) => State::Ended(Some(outcome)),
            None => State::Waits(Completion::detaching(current_fiber().sched, self)),
        };
        JoinFuture { state }
    }
}

/// It contains no pinned data.
impl<T> Unpin for JoinFuture<T> {}

impl<T> Future for JoinFuture<T> {
    type Output = Result<T, JoinError>;

    /// Returns the fiber's outcome if the fiber has ended.
    ///
    /// # Panics
    ///
    /// Panics if an earlier poll has returned the outcome.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        match &mut self.get_mut().state {
            State::Waits(completion) => completion.poll(cx),
            State::Ended(outcome) => Poll::Ready(
                outcome.take().expect("the future of a fiber was polled again after it was ready"),
            ),
        }
    }
}

impl<T> fmt::Debug for JoinFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinFuture(..)")
    }
}
