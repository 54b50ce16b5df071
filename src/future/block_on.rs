//! The wait of a fiber, or a thread, for a future.
//!
//! Invariants:
//! - A wake that comes while the future is polled is not lost: the future is polled again.
//! - A kill unwinds through here, and so drops the future. Where nothing can unwind, calls that
//!   return an error return it for the kill, and so drop the future.

use std::future::{Future, IntoFuture};
#[cfg(feature = "http")]
use std::io;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use crate::fiber::state::WaitReason;
use crate::sched::core::deadline::Deadline;
use crate::sched::core::end;
use crate::sched::core::interrupt::Interrupt;
#[cfg(feature = "http")]
use crate::sched::core::io_error::interrupted;
use crate::sched::core::limit::{Limit, clock_now};
use crate::sched::core::park::spend;
use crate::sched::core::scheduler::{CurrentFiber, try_current_fiber};
use crate::sched::futures::task;
use crate::sched::time::clock::{Clock, RealClock};
use crate::sched::time::idle::Parker;

/// Waits until `future` is ready, and returns its output. Meanwhile the thread runs other fibers.
///
/// The future may be woken from any thread, at any time, any number of times. Its waker is cheap:
/// cloning it copies a word. If the fiber is killed while it waits, or a time limit ends the wait,
/// the future is dropped. On a plain thread, outside of [`fibra::run`](crate::run), this blocks the
/// thread.
///
/// It may be called inside a future that is polled by another `block_on`.
///
/// # Deadlocks
///
/// Any thread may hold a copy of the waker. So this wait counts as an external wait, like a read
/// from a socket: there is no deadlock while a fiber is in it, and a
/// [virtual clock](crate::RuntimeBuilder::virtual_clock) goes no faster than real time.
///
/// # Futures that need tokio
///
/// The sockets and timers of tokio, and crates that are built on them, need a runtime of tokio.
/// With the feature `tokio`, `RuntimeBuilder::tokio` gives the fibers one.
///
/// # Inside tokio
///
/// A task of tokio has a budget of 128 operations per poll. When the budget is used up, tokio's
/// channels, timers and sockets return `Pending` until the task returns to its runtime. A
/// `fibra::run` inside a task, or inside `#[tokio::main]`, does not return to the runtime before it
/// is over, so these would never become ready again for its fibers. Only tokio can lift the budget.
/// With the feature `tokio` of this crate, every future is polled without it. Without that feature,
/// run fibers on a thread for blocking work, which has no budget,
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let sum = tokio::task::spawn_blocking(|| fibra::run(|| 1 + 1)).await.unwrap();
/// # assert_eq!(sum, 2);
/// # }
/// ```
///
/// or wrap each future: `block_on(tokio::task::coop::unconstrained(future))`. If a future wakes
/// itself in each poll and never becomes ready, as happens without budget, that is reported once on
/// standard error.
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
        Some(current) => in_fiber(current, future, &task::PENDING)
            .unwrap_or_else(|interrupt| interrupt.into_panic()),
        None => on_thread(future, Limit::None).unwrap_or_else(|| unreachable!("it has no limit")),
    }
}

/// Waits for `future` like [`block_on`], within `limit`. Dumps and reports show `reason`, with
/// which the wait can fail.
#[track_caller]
pub(crate) fn wait_within<F: Future>(
    future: Pin<&mut F>,
    limit: Limit,
    reason: &'static WaitReason,
) -> Result<F::Output, Interrupt> {
    match try_current_fiber() {
        Some(current) => {
            let _deadline = limit.micros(current).map(|at| Deadline::arm(current, at));
            in_fiber(current, future, reason)
        }
        None => on_thread(future, limit).ok_or(Interrupt::TimedOut),
    }
}

/// Like [`block_on`], for calls that return an error: if the fiber is killed or its time limit has
/// passed, they end even where nothing can unwind.
#[cfg(feature = "http")]
#[track_caller]
pub(crate) fn try_block_on<F: IntoFuture>(future: F) -> io::Result<F::Output> {
    let future = pin!(future.into_future());
    match try_current_fiber() {
        Some(current) => in_fiber(current, future, &task::PENDING_OR_ERROR)
            .map_err(|interrupt| interrupted(interrupt, &task::PENDING_OR_ERROR)),
        None => {
            Ok(on_thread(future, Limit::None).unwrap_or_else(|| unreachable!("it has no limit")))
        }
    }
}

#[track_caller]
fn in_fiber<F: Future>(
    current: CurrentFiber,
    mut future: Pin<&mut F>,
    reason: &'static WaitReason,
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
        task::wait_for_wake(current, reason)?;
    }
}

/// A count of consecutive polls during which the future was woken.
#[derive(Default)]
struct Spins {
    count: u32,
    since: Option<Instant>,
}

impl Spins {
    /// The number of quick polls after which the future is assumed to do nothing else.
    const MANY: u32 = 1 << 16;
    /// The longest average time of a quick poll. A future that computes in its polls takes longer.
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

    /// Starts to measure the time of the next `MANY` polls. If the last ones were measured and were
    /// quick, reports the future.
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
                 becomes ready. If `fibra::run` was called inside a task of tokio, that task's budget is \
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

/// Blocks the thread until `future` is ready, and returns its output; or `None` at the limit.
fn on_thread<F: Future>(mut future: Pin<&mut F>, limit: Limit) -> Option<F::Output> {
    let by = limit.instant();
    #[cfg(feature = "tokio")]
    let mut future = pin!(tokio::task::coop::unconstrained(future.as_mut()));
    let task = Arc::new(ThreadTask(Parker::new()));
    let waker = Waker::from(task.clone());
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Some(output);
        }
        let left = by.map(|by| by.saturating_duration_since(clock_now()));
        if left.is_some_and(|left| left.is_zero()) {
            return None;
        }
        task.0.wait(left);
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
