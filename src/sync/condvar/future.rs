//! The wait of a task for a condition.
//!
//! ```text
//!   [New: the guard] --poll--> [Waiting: a waiter in the queue; the mutex is unlocked]
//!                                  | notified
//!                              [Locking] --> [Over]
//! ```
//!
//! Invariant: no notification is lost. If the wait of a future was ended by one, and the future is
//! dropped before it has locked the mutex again, the notification goes to the next waiter.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::sched::lowlevel::WaitOutcome;
use crate::sync::condvar::Condvar;
use crate::sync::futures::{LockFuture, TaskGuard};
use crate::sync::mutex::{Mutex, MutexGuard};
use crate::sync::task::{leave, poll_wait};
use crate::sync::waiter::Waiter;

impl Condvar {
    /// Returns a future that unlocks the mutex, waits for a notification, and locks the mutex
    /// again: see [`sync::futures`](crate::sync::futures). The mutex stays locked until the first
    /// poll, which begins the wait.
    ///
    /// If the future is dropped, the mutex is not locked again. A notification that it has got by
    /// then goes to the next waiter.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::sync::{Condvar, Mutex};
    ///
    /// static READY: Mutex<bool> = Mutex::new(false);
    /// static CHANGED: Condvar = Condvar::new();
    ///
    /// let task = std::thread::spawn(|| {
    ///     fibra::future::block_on(async {
    ///         let mut ready = READY.lock_async().await;
    ///         while !*ready {
    ///             ready = CHANGED.wait_async(ready).await;
    ///         }
    ///     })
    /// });
    /// fibra::run(|| {
    ///     *READY.lock() = true;
    ///     CHANGED.notify_all();
    /// });
    /// task.join().unwrap();
    /// ```
    pub fn wait_async<'c, 'a, T: ?Sized>(
        &'c self,
        guard: TaskGuard<MutexGuard<'a, T>>,
    ) -> ConditionFuture<'c, 'a, T> {
        let mutex = guard.get().mutex();
        ConditionFuture { condvar: self, mutex, stage: Stage::New(guard) }
    }

    /// Waits like [`wait_async`](Self::wait_async) while `condition` returns true. Calls it with
    /// the mutex locked, before each wait.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::sync::{Condvar, Mutex};
    ///
    /// fibra::run(|| {
    ///     let (jobs, changed) = (Mutex::new(vec![]), Condvar::new());
    ///     fibra::scope(|s| {
    ///         let worker = s.spawn(|| {
    ///             fibra::future::block_on(async {
    ///                 let jobs = jobs.lock_async().await;
    ///                 changed.wait_while_async(jobs, |jobs| jobs.is_empty()).await.pop()
    ///             })
    ///         });
    ///         fibra::yield_now();
    ///         jobs.lock().push("sweep");
    ///         changed.notify_one();
    ///         assert_eq!(worker.join(), Ok(Some("sweep")));
    ///     });
    /// });
    /// ```
    pub async fn wait_while_async<'a, T: ?Sized>(
        &self,
        mut guard: TaskGuard<MutexGuard<'a, T>>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> TaskGuard<MutexGuard<'a, T>> {
        while condition(&mut guard) {
            guard = self.wait_async(guard).await;
        }
        guard
    }
}

/// A future that waits for a notification, made by [`Condvar::wait_async`].
#[must_use = "futures do nothing unless they are polled"]
pub struct ConditionFuture<'c, 'a, T: ?Sized> {
    condvar: &'c Condvar,
    mutex: &'a Mutex<T>,
    stage: Stage<'a, T>,
}

enum Stage<'a, T: ?Sized> {
    New(TaskGuard<MutexGuard<'a, T>>),
    Waiting(Arc<Waiter>),
    Locking(LockFuture<'a, T>),
    Over,
}

impl<T: ?Sized> ConditionFuture<'_, '_, T> {
    /// Joins the queue, then unlocks the mutex.
    fn begin(&mut self, cx: &Context<'_>) {
        let waiter = Arc::new(Waiter::of_task(cx.waker().clone(), ()));
        self.condvar.join_line(waiter.clone());
        let guard = mem::replace(&mut self.stage, Stage::Waiting(waiter));
        drop(guard);
    }
}

impl<'a, T: ?Sized> Future for ConditionFuture<'_, 'a, T> {
    type Output = TaskGuard<MutexGuard<'a, T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Stage::New(_) = this.stage {
            this.begin(cx);
        }
        if let Stage::Waiting(waiter) = &this.stage {
            let _ = ready!(poll_wait(this.condvar, waiter, cx));
            this.stage = Stage::Locking(LockFuture::new(this.mutex));
        }
        let Stage::Locking(lock) = &mut this.stage else {
            panic!("the future of a wait was polled again after it was ready");
        };
        let guard = ready!(Pin::new(lock).poll(cx));
        this.stage = Stage::Over;
        Poll::Ready(guard)
    }
}

impl<T: ?Sized> Drop for ConditionFuture<'_, '_, T> {
    fn drop(&mut self) {
        match mem::replace(&mut self.stage, Stage::Over) {
            Stage::Waiting(waiter) => {
                let (outcome, waker) = leave(self.condvar, &waiter);
                if outcome == WaitOutcome::Served {
                    self.condvar.notify_one();
                }
                drop(waker);
            }
            Stage::Locking(lock) => {
                self.condvar.notify_one();
                drop(lock);
            }
            Stage::New(_) | Stage::Over => {}
        }
    }
}

impl<T: ?Sized> fmt::Debug for ConditionFuture<'_, '_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConditionFuture(..)")
    }
}
