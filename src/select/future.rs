//! A future as one of several operations.
//!
//! Invariants:
//! - The future is polled by the fiber that chooses, while none of its arms is in a list: a poll is
//!   user code, which may wait, or use the other objects of the choice.
//! - It is pinned in a box, so that an operation may be moved after a choice.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::sched::core::choose::{Demands, Done};
use crate::sched::futures::task;
use crate::sched::lowlevel::{Arm as LowArm, CurrentFiber, current_fiber};
use crate::select::choice::{Arm, Chooser};
use crate::select::operation::{Operation, sealed};

/// The operation of waiting for a future, made by [`future`].
pub struct FutureOp<F: Future> {
    future: Pin<Box<F>>,
    output: Option<F::Output>,
}

/// Makes an operation that waits until a future is ready, and returns its output.
///
/// The fiber itself polls the future. If another operation is done, the future is dropped before
/// the code of that operation runs; to go on with it in the next choice, pass a reference to a
/// pinned future. A poll must not wait: as long as it does, no other operation is looked at.
///
/// # Examples
///
/// ```
/// use std::pin::pin;
/// use std::time::Duration;
/// use fibra::sync::mpmc;
///
/// fibra::run(|| {
///     let (sender, receiver) = mpmc::unbounded();
///     let mut answer = pin!(async { receiver.recv_async().await.unwrap() * 2 });
///     fibra::select! {
///         _ = future(&mut answer) => panic!("nothing was sent"),
///         after(Duration::from_millis(1)) => sender.send(21).unwrap(),
///     }
///     fibra::select! {
///         answer = future(&mut answer) => assert_eq!(answer, 42),
///         after(Duration::from_secs(60)) => panic!("too late"),
///     }
/// });
/// ```
pub fn future<F: IntoFuture>(future: F) -> FutureOp<F::IntoFuture> {
    FutureOp { future: Box::pin(future.into_future()), output: None }
}

impl<F: Future> sealed::Sealed for FutureOp<F> {}

impl<F: Future> Operation for FutureOp<F> {
    type Output = F::Output;

    #[inline(always)]
    fn is_polled(&self) -> bool {
        true
    }

    fn try_now(&mut self, _: Chooser) -> Option<F::Output> {
        unreachable!("it is polled")
    }

    fn arm(&mut self) -> Arm<'_> {
        Arm::new(self)
    }

    fn finish(self) -> F::Output {
        self.output.expect("the future was ready")
    }
}

impl<F: Future> LowArm for FutureOp<F> {
    fn attempt(&mut self, current: CurrentFiber) -> bool {
        if self.output.is_some() {
            return true;
        }
        let waker = task::waker(current);
        match poll(self.future.as_mut(), &mut Context::from_waker(&waker)) {
            Poll::Ready(output) => self.output = Some(output),
            Poll::Pending => {}
        }
        self.output.is_some()
    }

    fn demands(&self) -> Demands {
        Demands::POLLED
    }

    fn done(&self) -> Option<Done> {
        current_fiber().fiber.woken.get().then_some(Done::Changed)
    }
}

/// Polls once, without the budget of a task of tokio around this fiber.
fn poll<F: Future>(future: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<F::Output> {
    #[cfg(feature = "tokio")]
    let future = std::pin::pin!(tokio::task::coop::unconstrained(future));
    future.poll(cx)
}

impl<F: Future> fmt::Debug for FutureOp<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FutureOp(..)")
    }
}
