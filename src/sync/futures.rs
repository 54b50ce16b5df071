//! Futures over locks, semaphores, events and channels: the waits of tasks.
//!
//! | call | output |
//! |---|---|
//! | [`Mutex::lock_async`] | a [`TaskGuard`] |
//! | [`RwLock::read_async`], [`RwLock::write_async`] | a [`TaskGuard`] |
//! | [`Semaphore::acquire_async`] | a [`Permit`], or that the semaphore is closed |
//! | [`Event::wait_async`], [`WaitGroup::wait_async`], [`Once::wait_async`] | `()` |
//! | [`Condvar::wait_async`], [`Condvar::wait_while_async`] | the [`TaskGuard`], which was given |
//! | [`Barrier::wait_async`] | a [`BarrierWaitResult`] |
//! | [`Promised::wait_async`] | the value, or that the promise is broken |
//! | [`OnceCell::wait_async`], [`OnceCell::get_or_init_async`] | the value |
//! | [`mpmc::Receiver::recv_async`] | the value, or that the channel is closed |
//! | [`mpmc::Sender::send_async`] | `()`, or the value if the channel is closed |
//! | [`OneshotReceiver::recv_async`] | the value, or that the sender is gone |
//!
//! A [`ReentrantMutex`] has none: it would have to know which task locks it again.
//!
//! They need no runtime: a fiber polls them with [`block_on`](crate::future::block_on), and so may
//! a plain thread, a task of tokio or of any other executor. So a task hands work to fibers, or
//! waits for a lock that a fiber holds, without a thread in between. Tasks, fibers and threads wait
//! in one queue, first come, first served; the module [`sync`](crate::sync#order) has the details.
//!
//! # Cancellation
//!
//! A future that is dropped leaves its queue. If it was given something at the same moment, nothing
//! is lost: a lock or a permit goes to the next waiter, a received value back to the front of its
//! channel, and a value that was not sent is dropped with its future, or returned by
//! [`SendFuture::into_inner`]. A future that is forgotten with [`mem::forget`](std::mem::forget)
//! stays in its queue, is served there once, and keeps what it was given forever.
//!
//! A future that was given a lock and is not polled again holds the lock. So do not keep one that
//! is not polled, for example beside another wait of the same task.
//!
//! # Owners
//!
//! A lock that a future has taken is held by *a task*, not by the fiber or the thread that has
//! polled. Several tasks of one thread may wait for one lock, and a [`TaskGuard`] may be sent to
//! another thread and dropped there. On the other hand, no wait for such a lock is ever reported as
//! a deadlock, because any thread may poll the task that holds it.
//!
//! # Wakers
//!
//! The waker of a task may do anything: lock the same lock, drop the last handle of a channel,
//! panic. It is never called with a lock of this crate held. On the thread of a scheduler a fiber
//! calls it; a call that wakes a task, like [`Sender::send`], does not run it itself.
//!
//! # Examples
//!
//! Tasks of tokio and fibers share a channel:
//!
//! ```
//! use fibra::sync::mpmc;
//!
//! let (jobs, queue) = mpmc::bounded::<u32>(2);
//! let fibers = std::thread::spawn(move || fibra::run(|| queue.iter().sum::<u32>()));
//!
//! let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! runtime.block_on(async {
//!     for n in 1..=10 {
//!         jobs.send_async(n).await.unwrap(); // waits while the channel is full
//!     }
//! });
//! drop(jobs);
//! assert_eq!(fibers.join().unwrap(), 55);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! [`Sender::send`]: crate::sync::mpmc::Sender::send
//! [`OneshotReceiver::recv_async`]: crate::sync::OneshotReceiver::recv_async

#![allow(unsafe_code, reason = "guards of tasks may change their thread")]

use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::sched::lowlevel::{Owner, WaitOutcome};
use crate::sync::error::TimeoutError;
use crate::sync::event::Event;
use crate::sync::mutex::{Mutex, MutexGuard};
use crate::sync::raw_mutex::RawMutex;
use crate::sync::raw_rwlock::{Mode, RawRwLock};
use crate::sync::rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use crate::sync::semaphore::{Permit, Semaphore};
use crate::sync::task::TaskWait;
use crate::sync::wait_group::WaitGroup;

pub use crate::sync::barrier::future::BarrierFuture;
pub use crate::sync::condvar::future::ConditionFuture;
pub use crate::sync::mpmc::task::{RecvFuture, SendFuture};
pub use crate::sync::oneshot::OneshotFuture;
pub use crate::sync::promise::PromisedFuture;
#[allow(unused_imports, reason = "for the documentation")]
use crate::sync::{
    Barrier, BarrierWaitResult, Condvar, Once, OnceCell, Promised, ReentrantMutex, mpmc,
};

/// The guard of a lock that a future has taken. Like the guard `G` inside it, it gives access to
/// the data and releases the lock when it is dropped; unlike that guard it may move to another
/// thread, if the data may.
///
/// # Examples
///
/// A task of a runtime of several threads holds it across an `await`:
///
/// ```
/// use std::sync::Arc;
/// use fibra::sync::Mutex;
///
/// # #[tokio::main]
/// # async fn main() {
/// let total = Arc::new(Mutex::new(0));
/// let shared = total.clone();
/// let task = tokio::spawn(async move {
///     let mut total = shared.lock_async().await;
///     tokio::task::yield_now().await; // may go on on another thread
///     *total += 1;
/// });
/// task.await.unwrap();
/// assert_eq!(*total.lock_async().await, 1);
/// # }
/// ```
#[must_use = "the lock is released when its guard is dropped"]
pub struct TaskGuard<G>(G);

// SAFETY: a guard is `!Send` only so that the lock is not held by the wrong owner in reports. Its
// owner is a task here, which belongs to no thread, and releasing a lock works on every thread. The
// guard gives `&mut T` to the thread that it moves to: `T: Send` allows that.
unsafe impl<T: ?Sized + Send> Send for TaskGuard<MutexGuard<'_, T>> {}
// SAFETY: like above; the guard gives `&T`, while readers on other threads have `&T`: `T: Sync`.
unsafe impl<T: ?Sized + Sync> Send for TaskGuard<RwLockReadGuard<'_, T>> {}
// SAFETY: like for the guard of a mutex.
unsafe impl<T: ?Sized + Send> Send for TaskGuard<RwLockWriteGuard<'_, T>> {}

impl<G> TaskGuard<G> {
    pub(super) fn get(&self) -> &G {
        &self.0
    }
}

impl<G: Deref> Deref for TaskGuard<G> {
    type Target = G::Target;

    fn deref(&self) -> &G::Target {
        &self.0
    }
}

impl<G: DerefMut> DerefMut for TaskGuard<G> {
    fn deref_mut(&mut self) -> &mut G::Target {
        &mut self.0
    }
}

impl<G: fmt::Debug> fmt::Debug for TaskGuard<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<G: fmt::Display> fmt::Display for TaskGuard<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A future that locks a [`Mutex`], made by [`Mutex::lock_async`].
#[must_use = "futures do nothing unless they are polled"]
pub struct LockFuture<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    wait: TaskWait<'a, RawMutex>,
}

impl<'a, T: ?Sized> LockFuture<'a, T> {
    pub(super) fn new(mutex: &'a Mutex<T>) -> LockFuture<'a, T> {
        LockFuture { mutex, wait: TaskWait::new(mutex.raw(), ()) }
    }
}

impl<'a, T: ?Sized> Future for LockFuture<'a, T> {
    type Output = TaskGuard<MutexGuard<'a, T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mutex = self.mutex;
        self.wait.poll(cx).map(|_| TaskGuard(mutex.guard()))
    }
}

/// A future that locks an [`RwLock`] for reading, made by [`RwLock::read_async`].
#[must_use = "futures do nothing unless they are polled"]
pub struct ReadFuture<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    wait: TaskWait<'a, RawRwLock>,
}

impl<'a, T: ?Sized> ReadFuture<'a, T> {
    pub(super) fn new(lock: &'a RwLock<T>) -> ReadFuture<'a, T> {
        ReadFuture { lock, wait: TaskWait::new(lock.raw(), Mode::Read) }
    }
}

impl<'a, T: ?Sized> Future for ReadFuture<'a, T> {
    type Output = TaskGuard<RwLockReadGuard<'a, T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let lock = self.lock;
        self.wait.poll(cx).map(|_| TaskGuard(lock.reader(Owner::TASK)))
    }
}

/// A future that locks an [`RwLock`] for writing, made by [`RwLock::write_async`].
#[must_use = "futures do nothing unless they are polled"]
pub struct WriteFuture<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    wait: TaskWait<'a, RawRwLock>,
}

impl<'a, T: ?Sized> WriteFuture<'a, T> {
    pub(super) fn new(lock: &'a RwLock<T>) -> WriteFuture<'a, T> {
        WriteFuture { lock, wait: TaskWait::new(lock.raw(), Mode::Write) }
    }
}

impl<'a, T: ?Sized> Future for WriteFuture<'a, T> {
    type Output = TaskGuard<RwLockWriteGuard<'a, T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let lock = self.lock;
        self.wait.poll(cx).map(|_| TaskGuard(lock.writer()))
    }
}

/// A future that acquires permits of a [`Semaphore`], made by [`Semaphore::acquire_async`].
///
/// The error is [`TimeoutError::Closed`].
#[must_use = "futures do nothing unless they are polled"]
pub struct AcquireFuture<'a> {
    semaphore: &'a Semaphore,
    permits: usize,
    wait: TaskWait<'a, Semaphore>,
}

impl<'a> AcquireFuture<'a> {
    pub(super) fn new(semaphore: &'a Semaphore, permits: usize) -> AcquireFuture<'a> {
        AcquireFuture { semaphore, permits, wait: TaskWait::new(semaphore, permits) }
    }
}

impl<'a> Future for AcquireFuture<'a> {
    type Output = Result<Permit<'a>, TimeoutError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (semaphore, permits) = (self.semaphore, self.permits);
        self.wait.poll(cx).map(|outcome| match outcome {
            WaitOutcome::Served => Ok(Permit::new(semaphore, permits)),
            _ => Err(TimeoutError::Closed),
        })
    }
}

/// A future that is ready when an [`Event`] is set, made by [`Event::wait_async`].
#[must_use = "futures do nothing unless they are polled"]
pub struct EventFuture<'a> {
    wait: TaskWait<'a, Event>,
}

impl<'a> EventFuture<'a> {
    pub(super) fn new(event: &'a Event) -> EventFuture<'a> {
        EventFuture { wait: TaskWait::new(event, ()) }
    }
}

impl Future for EventFuture<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.wait.poll(cx).map(drop)
    }
}

/// A future that is ready when a [`WaitGroup`] has no workers, made by [`WaitGroup::wait_async`].
#[must_use = "futures do nothing unless they are polled"]
pub struct WaitGroupFuture<'a> {
    wait: TaskWait<'a, WaitGroup>,
}

impl<'a> WaitGroupFuture<'a> {
    pub(super) fn new(group: &'a WaitGroup) -> WaitGroupFuture<'a> {
        WaitGroupFuture { wait: TaskWait::new(group, ()) }
    }
}

impl Future for WaitGroupFuture<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.wait.poll(cx).map(drop)
    }
}

/// Shows futures by their names.
macro_rules! debug {
    ($([$($of:tt)*] $future:ident<$($given:tt),*>)*) => {$(
        impl<$($of)*> fmt::Debug for $future<$($given),*> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($future), "(..)"))
            }
        }
    )*};
}

debug! {
    [T: ?Sized] LockFuture<'_, T>
    [T: ?Sized] ReadFuture<'_, T>
    [T: ?Sized] WriteFuture<'_, T>
    [] AcquireFuture<'_>
    [] EventFuture<'_>
    [] WaitGroupFuture<'_>
}
