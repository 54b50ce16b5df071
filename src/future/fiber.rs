//! A fiber as a future of what its closure returns.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::fiber::exit::JoinError;
use crate::sched::join::JoinHandle;
use crate::sched::spawn;

/// Runs `f` in a fiber of its own, and returns a future of what it returns.
///
/// So an `async` function calls code that blocks, without blocking the other futures of its task. The fiber
/// starts by itself, whether the future is polled or not. When the future is dropped before it is ready
/// the fiber is killed, as a future would be dropped; it is not waited for.
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
pub fn spawn<F, T>(f: F) -> FiberFuture<T>
where
    F: FnOnce() -> T + 'static,
    T: 'static,
{
    let (end, f) = told_of_the_end(f);
    FiberFuture { fiber: Some(spawn::spawn(f)), end }
}

/// As [`spawn`], but the fiber runs at once, until it first waits: what never does is ready when this
/// returns. (See [`spawn_now`](fn@crate::spawn_now).)
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
    let (end, f) = told_of_the_end(f);
    FiberFuture { fiber: Some(spawn::spawn_now(f)), end }
}

/// `f`, and where it will be seen that it has ended.
fn told_of_the_end<F, T>(f: F) -> (Rc<RefCell<End>>, impl FnOnce() -> T + use<F, T>)
where
    F: FnOnce() -> T,
{
    let end = Rc::new(RefCell::new(End::Outstanding(None)));
    let told = TellEnd(end.clone());
    let f = move || {
        let _told = told;
        f()
    };
    (end, f)
}

/// A fiber as a future, made by [`spawn`]. Its output is what [`JoinHandle::join`] returns.
///
/// It stays on its thread. It may be polled by several tasks in turn; the last is the one that is woken.
#[must_use = "the fiber is killed when its future is dropped"]
pub struct FiberFuture<T> {
    /// There until it was joined.
    fiber: Option<JoinHandle<T>>,
    end: Rc<RefCell<End>>,
}

enum End {
    Outstanding(Option<Waker>),
    HasCome,
}

/// Tells whoever polls that the closure has ended: it has returned, or unwinds, or never ran.
struct TellEnd(Rc<RefCell<End>>);

impl Drop for TellEnd {
    fn drop(&mut self) {
        if let End::Outstanding(Some(waker)) = self.0.replace(End::HasCome) {
            waker.wake();
        }
    }
}

/// Nothing of it is pinned.
impl<T> Unpin for FiberFuture<T> {}

impl<T> Future for FiberFuture<T> {
    type Output = Result<T, JoinError>;

    /// # Panics
    ///
    /// Panics if it was ready already, and outside of a fiber.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        let waker = cx.waker().clone();
        let replaced = match &mut *self.end.borrow_mut() {
            End::HasCome => None,
            End::Outstanding(place) => Some(place.replace(waker)),
        };
        if replaced.is_some() {
            return Poll::Pending;
        }
        let fiber = self.fiber.take().expect("a future is not polled after it was ready");
        // Not quite at its end, perhaps: its fiber-locals may have destructors that wait.
        Poll::Ready(fiber.join())
    }
}

impl<T> Drop for FiberFuture<T> {
    fn drop(&mut self) {
        if let Some(fiber) = &self.fiber {
            fiber.kill();
        }
    }
}

impl<T> fmt::Debug for FiberFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FiberFuture").field("fiber", &self.fiber).finish_non_exhaustive()
    }
}
