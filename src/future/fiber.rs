//! A fiber as a future of its closure's result.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::fiber::exit::JoinError;
use crate::sched::api::completion::{Awaited, Completion};
use crate::sched::api::spawn;
use crate::sched::core::scheduler::current_fiber;

/// Runs `f` in a new fiber, and returns a future of its result.
///
/// With this, an `async` function can call code that blocks without blocking the other futures of
/// its task. The fiber starts by itself, even if the future is never polled. If the future is
/// dropped before it is ready, the fiber is killed; the drop does not wait for its end.
///
/// The fiber stays on this thread, and nothing in it needs to be `Send`. The future may be polled
/// and dropped on any thread if its output is `Send`, so an `async` function that awaits it can be
/// `Send`, as the executors and frameworks of other crates demand.
///
/// # Deadlocks
///
/// As long as the future exists, another thread may drop it and so end the fiber's wait. So no
/// deadlock is detected while the fiber waits: do not keep a future that is never awaited.
///
/// # Panics
///
/// Panics outside of a fiber.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fibra::future::{block_on, spawn};
///
/// fibra::run(|| {
///     let nap = |name| {
///         move || {
///             fibra::sleep(Duration::from_millis(2));
///             name
///         }
///     };
///     let both = block_on(async {
///         let (first, second) = (spawn(nap("one")), spawn(nap("two"))); // at the same time
///         (first.await.unwrap(), second.await.unwrap())
///     });
///     assert_eq!(both, ("one", "two"));
/// });
/// ```
#[track_caller]
#[doc(alias = "async")]
pub fn spawn<F, T>(f: F) -> FiberFuture<T>
where
    F: FnOnce() -> T + 'static,
    T: 'static,
{
    let sched = current_fiber().sched;
    let completion = Completion::of(sched, spawn::spawn(f));
    FiberFuture { outcome: Awaited::Waits(completion) }
}

/// Runs `f` in a new fiber like [`spawn`], but immediately, until it first waits or ends: if it
/// never waits, the future is ready when this returns. (See [`spawn_now`](fn@crate::spawn_now).)
///
/// # Panics
///
/// Panics outside of a fiber.
///
/// # Examples
///
/// ```
/// use std::pin::Pin;
/// use std::task::{Context, Waker};
///
/// fibra::run(|| {
///     let mut sum = fibra::future::spawn_now(|| 1 + 1);
///     let mut context = Context::from_waker(Waker::noop());
///     assert!(Future::poll(Pin::new(&mut sum), &mut context).is_ready());
/// });
/// ```
#[track_caller]
pub fn spawn_now<F, T>(f: F) -> FiberFuture<T>
where
    F: FnOnce() -> T + 'static,
    T: 'static,
{
    let sched = current_fiber().sched;
    let mut fiber = spawn::spawn_now(f);
    let ended = Awaited::ended(&mut fiber);
    FiberFuture { outcome: ended.unwrap_or_else(|| Awaited::Waits(Completion::of(sched, fiber))) }
}

/// A fiber as a future, returned by [`spawn`] and [`spawn_now`]. Its output is the result of
/// [`JoinHandle::join`](crate::JoinHandle::join).
///
/// It is ready once the fiber has ended, including the destructors of its fiber-locals. Several
/// tasks may poll it in turn; the task that polled last is woken. It is `Send` only if the output
/// is:
///
/// ```compile_fail
/// fn send<T: Send>() {}
/// send::<fibra::future::FiberFuture<std::rc::Rc<()>>>();
/// ```
///
/// # Examples
///
/// Another thread awaits a fiber of this one:
///
/// ```
/// use fibra::future::{block_on, spawn};
///
/// fibra::run(|| {
///     let answer = spawn(|| {
///         fibra::yield_now();
///         6 * 7
///     });
///     let elsewhere = fibra::blocking(move || block_on(answer).unwrap());
///     assert_eq!(elsewhere, 42);
/// });
/// ```
#[must_use = "the fiber is killed when its future is dropped"]
pub struct FiberFuture<T> {
    outcome: Awaited<T>,
}

/// It contains no pinned data.
impl<T> Unpin for FiberFuture<T> {}

impl<T> Future for FiberFuture<T> {
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

impl<T> fmt::Debug for FiberFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FiberFuture").field("fiber", &self.outcome.id()).finish_non_exhaustive()
    }
}
