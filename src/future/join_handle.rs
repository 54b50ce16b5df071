//! The handles of fibers as futures: `handle.await`.

use std::cell::Cell;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::collections::slot_table::Key;
use crate::fiber::exit::JoinError;
use crate::sched::api::completion::{Awaited, Completion};
use crate::sched::api::handle::tell_of_end;
use crate::sched::api::join::JoinHandle;
use crate::sched::api::scoped_join::ScopedJoinHandle;
use crate::sched::core::hooks::EndHook;
use crate::sched::core::scheduler::{current_fiber, scheduler};

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
    outcome: Awaited<T>,
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
        let outcome = match Awaited::ended(&mut self) {
            Some(outcome) => outcome,
            None => Awaited::Waits(Completion::detaching(current_fiber().sched, self)),
        };
        JoinFuture { outcome }
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
        self.get_mut().outcome.poll(cx)
    }
}

impl<T> fmt::Debug for JoinFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinFuture(..)")
    }
}

/// The end of a fiber of a scope as a future, made from a [`ScopedJoinHandle`] by `await`, or by
/// anything else that takes an [`IntoFuture`]. Its output is the result of
/// [`ScopedJoinHandle::join`].
///
/// Like the handle it stays on its thread, and inside the scope. If it is dropped, the scope still
/// waits for the fiber.
///
/// # Examples
///
/// ```
/// use fibra::future::{block_on, join};
///
/// fibra::run(|| {
///     let words = [String::from("green"), String::from("threads")];
///     let lengths = fibra::scope(|s| {
///         let [one, two] = words.each_ref().map(|word| s.spawn(|| word.len()));
///         block_on(join!(one, two))
///     });
///     assert_eq!(lengths, (Ok(5), Ok(7)));
/// });
/// ```
#[must_use = "futures do nothing unless they are polled"]
pub struct ScopedJoinFuture<'scope, T> {
    handle: ScopedJoinHandle<'scope, T>,
    bell: Rc<Bell>,
}

/// The hook that wakes the task when the fiber ends.
#[derive(Default)]
struct Bell {
    /// The waker of the last poll, until the fiber has ended. The future drops it, or the hook
    /// gives it away, so the drop of the hook runs no user code.
    waker: Cell<Option<Waker>>,
}

impl<'scope, T> IntoFuture for ScopedJoinHandle<'scope, T> {
    type Output = Result<T, JoinError>;
    type IntoFuture = ScopedJoinFuture<'scope, T>;

    fn into_future(self) -> ScopedJoinFuture<'scope, T> {
        let bell = Rc::new(Bell::default());
        tell_of_end(self.fiber(), bell.clone(), Key::from_bits(0));
        ScopedJoinFuture { handle: self, bell }
    }
}

/// It contains no pinned data.
impl<T> Unpin for ScopedJoinFuture<'_, T> {}

impl<T> Future for ScopedJoinFuture<'_, T> {
    type Output = Result<T, JoinError>;

    /// Returns the fiber's outcome if the fiber has ended; after that, [`JoinError::Taken`].
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        let ScopedJoinFuture { handle, bell } = self.get_mut();
        if !handle.is_finished() {
            // The clone and the drop may run user code, and let the fiber end.
            drop(bell.waker.replace(Some(cx.waker().clone())));
        }
        if !handle.is_finished() {
            return Poll::Pending;
        }
        drop(bell.waker.take());
        handle.try_join().map_or(Poll::Pending, Poll::Ready)
    }
}

impl EndHook for Bell {
    fn ended(&self, _: Key) {
        if let (Some(sched), Some(waker)) = (scheduler(), self.waker.take()) {
            sched.wake_by(waker);
        }
    }
}

impl<T> Drop for ScopedJoinFuture<'_, T> {
    fn drop(&mut self) {
        drop(self.bell.waker.take());
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bell(..)")
    }
}

impl<T> fmt::Debug for ScopedJoinFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ScopedJoinFuture").field(self.handle.fiber()).finish()
    }
}
