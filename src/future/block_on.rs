//! The wait of a fiber, or a thread, for a future.
//!
//! Invariants:
//! - A wake that comes while the future is polled is not lost: it is polled again.
//! - A kill unwinds through here, and so drops the future. Where nothing can unwind, calls that return an
//!   error return it, and drop the future by that.

use std::future::{Future, IntoFuture};
#[cfg(feature = "http")]
use std::io;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use crate::sched::core::end;
use crate::sched::core::interrupt::Interrupt;
#[cfg(feature = "http")]
use crate::sched::core::io_error::interrupted;
use crate::sched::core::park::spend;
use crate::sched::core::scheduler::{CurrentFiber, try_current_fiber};
use crate::sched::futures::task;
use crate::sched::time::clock::{Clock, RealClock};
use crate::sched::time::idle::Parker;

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
/// [virtual clock](crate::RuntimeBuilder::virtual_clock) goes no faster than real time.
///
/// # Inside of tokio
///
/// A task of tokio has a budget of 128 operations for each of its polls. When the budget is used up, tokio's
/// channels, timers and sockets return `Pending` until the task returns to its runtime. A `fibra::run` inside a
/// task, `#[tokio::main]` included, does not return before it is over, so what its fibers poll would never
/// become ready again. Only tokio can lift the budget. With the feature `tokio` of this crate every future is
/// polled without it. Without that feature, run fibers on a thread for blocking work, which has no budget,
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let sum = tokio::task::spawn_blocking(|| fibra::run(|| 1 + 1)).await.unwrap();
/// # assert_eq!(sum, 2);
/// # }
/// ```
///
/// or wrap each future, `block_on(tokio::task::coop::unconstrained(future))`. A future that only wakes itself,
/// like one without budget, is reported once on the standard error.
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
#[doc(alias("async", "await"))]
pub fn block_on<F: IntoFuture>(future: F) -> F::Output {
    let future = pin!(future.into_future());
    match try_current_fiber() {
        Some(current) => {
            in_fiber(current, future, false).unwrap_or_else(|interrupt| interrupt.into_panic())
        }
        None => on_thread(future),
    }
}

/// As [`block_on`], for calls that return an error: they end also if the fiber is killed, or out of time,
/// where nothing can unwind.
#[cfg(feature = "http")]
#[track_caller]
pub(crate) fn try_block_on<F: IntoFuture>(future: F) -> io::Result<F::Output> {
    let future = pin!(future.into_future());
    match try_current_fiber() {
        Some(current) => in_fiber(current, future, true)
            .map_err(|interrupt| interrupted(interrupt, &task::PENDING_OR_ERROR)),
        None => Ok(on_thread(future)),
    }
}

#[track_caller]
fn in_fiber<F: Future>(
    current: CurrentFiber,
    mut future: Pin<&mut F>,
    may_fail: bool,
) -> Result<F::Output, Interrupt> {
    spend(current);
    let waker = task::waker(current);
    let mut cx = Context::from_waker(&waker);
    let _end = EndOfPolls(current);
    #[cfg(feature = "tokio")]
    let mut future = pin!(tokio::task::coop::unconstrained(future.as_mut()));
    let mut spins = Spins::default();
    loop {
        task::begin_poll(current);
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Ok(output);
        }
        spins.note(current);
        task::wait_for_wake(current, may_fail)?;
    }
}

/// Polls in a row of a future that was woken while it was polled.
#[derive(Default)]
struct Spins {
    count: u32,
    since: Option<Instant>,
}

impl Spins {
    /// So many quick polls do nothing else. One that computes between its polls takes longer.
    const MANY: u32 = 1 << 16;
    const QUICK: Duration = Duration::from_micros(20);

    #[track_caller]
    fn note(&mut self, current: CurrentFiber) {
        if !current.fiber.woken.get() {
            self.count = 0;
            return;
        }
        self.count += 1;
        if self.count == Spins::MANY {
            self.look(current);
        }
    }

    /// Counts once more by the clock, and reports what is found.
    #[cold]
    #[track_caller]
    fn look(&mut self, current: CurrentFiber) {
        static REPORTED: AtomicBool = AtomicBool::new(false);
        let now = RealClock.now();
        self.count = 0;
        let Some(since) = self.since.replace(now) else { return };
        let quick = now.saturating_duration_since(since) < Spins::QUICK * Spins::MANY;
        if quick && !REPORTED.swap(true, Ordering::Relaxed) {
            end::say(format_args!(
                "{}: the future that it waits for at {} wakes itself each time it is polled, and never \
                 gets ready. If `fibra::run` was called inside a task of tokio, that task's budget is \
                 used up: enable the feature `tokio` of fibra, or run fibers inside \
                 `tokio::task::spawn_blocking`",
                end::describe(&current.fiber),
                Location::caller()
            ));
        }
    }
}

struct EndOfPolls(CurrentFiber);

impl Drop for EndOfPolls {
    fn drop(&mut self) {
        task::end_polls(self.0);
    }
}

fn on_thread<F: Future>(mut future: Pin<&mut F>) -> F::Output {
    #[cfg(feature = "tokio")]
    let mut future = pin!(tokio::task::coop::unconstrained(future.as_mut()));
    let task = Arc::new(ThreadTask(Parker::new()));
    let waker = Waker::from(task.clone());
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        task.0.wait(None);
    }
}

/// A thread that waits for a future.
struct ThreadTask(Parker);

impl Wake for ThreadTask {
    fn wake(self: Arc<Self>) {
        self.0.call();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.call();
    }
}
