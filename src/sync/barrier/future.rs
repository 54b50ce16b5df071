//! The wait of a task at a barrier.
//!
//! Invariant: a future that is dropped before all parties have arrived has not arrived. If they
//! had arrived by then, it counts as one of them.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::sync::barrier::{Barrier, BarrierWaitResult};
use crate::sync::task::{leave, poll_wait};
use crate::sync::waiter::Waiter;

impl Barrier {
    /// Returns a future that is ready when all parties have arrived: see
    /// [`sync::futures`](crate::sync::futures). The task arrives with the first poll. If the future
    /// is dropped before it is ready, the task has not arrived, unless all others have.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::sync::Barrier;
    ///
    /// static START: Barrier = Barrier::new(2);
    ///
    /// let task = std::thread::spawn(|| fibra::future::block_on(START.wait_async()).is_leader());
    /// let fiber = fibra::run(|| START.wait().is_leader());
    /// assert!(fiber ^ task.join().unwrap()); // one of the two is the leader
    /// ```
    pub fn wait_async(&self) -> BarrierFuture<'_> {
        BarrierFuture { barrier: self, stage: Stage::New }
    }
}

/// A future that is ready when all parties have arrived, made by [`Barrier::wait_async`].
#[must_use = "futures do nothing unless they are polled"]
pub struct BarrierFuture<'a> {
    barrier: &'a Barrier,
    stage: Stage,
}

enum Stage {
    New,
    Waiting(Arc<Waiter>),
    /// It was the last to arrive.
    Leads,
    Over,
}

impl BarrierFuture<'_> {
    fn arrive(&mut self, cx: &Context<'_>) {
        // It is dropped after the stage was set, because that may run user code.
        let waiter = Arc::new(Waiter::of_task(cx.waker().clone(), ()));
        self.stage = match self.barrier.arrive(|| waiter.clone()) {
            Some(waiter) => Stage::Waiting(waiter),
            None => Stage::Leads,
        };
    }
}

impl Future for BarrierFuture<'_> {
    type Output = BarrierWaitResult;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<BarrierWaitResult> {
        let this = &mut *self;
        if let Stage::New = this.stage {
            this.arrive(cx);
        }
        let is_leader = match &this.stage {
            Stage::Leads => true,
            Stage::Waiting(waiter) => {
                let _ = ready!(poll_wait(this.barrier, waiter, cx));
                false
            }
            _ => panic!("the future of a wait was polled again after it was ready"),
        };
        this.stage = Stage::Over;
        Poll::Ready(BarrierWaitResult { is_leader })
    }
}

impl Drop for BarrierFuture<'_> {
    fn drop(&mut self) {
        if let Stage::Waiting(waiter) = mem::replace(&mut self.stage, Stage::Over) {
            drop(leave(self.barrier, &waiter));
        }
    }
}

impl fmt::Debug for BarrierFuture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BarrierFuture(..)")
    }
}
