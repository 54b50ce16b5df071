//! The wait of a fiber, or a thread, for a future.
//!
//! Invariants:
//! - A wake that comes while the future is polled is not lost: it is polled again.
//! - A kill unwinds through here, and so drops the future.

use std::future::{Future, IntoFuture};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use crate::sched::park::spend;
use crate::sched::scheduler::{Here, try_here};
use crate::sched::task;

/// Waits until `future` is ready, and returns its output. Meanwhile the thread runs other fibers.
///
/// The future may be woken from any thread, at any time, as often as one likes. Its waker is cheap: to clone
/// it is to copy a word. If the fiber is killed while it waits, or a time limit ends the wait, the future is
/// dropped. On a plain thread, outside of [`fibra::run`](crate::run), this blocks the thread.
///
/// It may be called inside of a future that is polled by another `block_on`.
///
/// # Deadlocks
///
/// Nobody knows who holds copies of a waker. So a fiber that waits here counts as one that waits for the
/// world, as if it read a socket: there is no deadlock while it does, and a
/// [virtual clock](crate::runtime::Builder::virtual_clock) goes no faster than real time.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let (sender, receiver) = async_channel::bounded(1);
///     let fiber = fibra::spawn(move || fibra::future::block_on(receiver.recv()));
///     fibra::future::block_on(sender.send("from a future")).unwrap();
///     assert_eq!(fiber.join().unwrap(), Ok("from a future"));
/// });
/// ```
#[track_caller]
pub fn block_on<F: IntoFuture>(future: F) -> F::Output {
    let future = pin!(future.into_future());
    match try_here() {
        Some(here) => in_fiber(here, future),
        None => on_thread(future),
    }
}

#[track_caller]
fn in_fiber<F: Future>(here: Here, mut future: Pin<&mut F>) -> F::Output {
    spend(here);
    let waker = task::waker(here);
    let mut cx = Context::from_waker(&waker);
    let _end = EndOfPolls(here);
    loop {
        task::begin_poll(here);
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        task::wait_for_wake(here);
    }
}

struct EndOfPolls(Here);

impl Drop for EndOfPolls {
    fn drop(&mut self) {
        task::end_polls(self.0);
    }
}

fn on_thread<F: Future>(mut future: Pin<&mut F>) -> F::Output {
    let woken = Arc::new(ThreadTask { thread: thread::current(), woken: AtomicBool::new(false) });
    let waker = Waker::from(woken.clone());
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        while !woken.woken.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}

/// A thread that waits for a future.
struct ThreadTask {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for ThreadTask {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}
