//! A scheduler as a future: fibers inside a runtime of tokio that the program has already.
//!
//! ```text
//!   new --poll--> [Running: a Visit] --the main fiber ends--> Over
//!                    |
//!                    +-- dropped: the main fiber is killed, all fibers are unwound
//!                    +-- forgotten: the end of the frame does that
//! ```
//!
//! A guest that has ended leaves its poller in the frame, for the next one: other threads may hold
//! handles that wake it, so it cannot be closed earlier than they are dropped.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use tokio::runtime::Handle;

use crate::collections::run_ring::Alarm;
use crate::fiber::exit::JoinError;
use crate::fiber::frame::Frame;
use crate::host::bed::Bed;
use crate::jobs::threads::Crew;
use crate::reactor::driver::Driver;
use crate::runtime::Runtime;
use crate::sched::api::visit::Visit;
use crate::sched::core::scheduler::scheduler;

/// Returns a future that runs fibers with `f` as their main fiber, inside a runtime of tokio.
///
/// It is [`Runtime::guest`] with the default settings: see there.
///
/// # Panics
///
/// Panics if the first stacks cannot be allocated.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// # fn main() -> std::io::Result<()> {
/// let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// fibra::frame(|| {
///     tokio.block_on(async {
///         let guest = fibra::guest(|| {
///             fibra::sleep(Duration::from_millis(2));
///             "fibers"
///         });
///         let tasks = async {
///             tokio::time::sleep(Duration::from_millis(1)).await;
///             "tasks"
///         };
///         assert_eq!(tokio::join!(guest, tasks), (Ok("fibers"), "tasks"));
///     });
/// });
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn guest<F, T>(f: F) -> Guest<T>
where
    F: FnOnce() -> T + 'static,
    T: 'static,
{
    match Runtime::builder().build() {
        Ok(runtime) => runtime.guest(f),
        Err(error) => panic!("fibra could not start: {error}"),
    }
}

impl Runtime {
    /// Returns a future that runs fibers with `f` as their main fiber, inside a runtime of tokio.
    ///
    /// The fibers share the thread with the tasks of that runtime: on each poll, the future runs
    /// fibers until none is ready, or for 16 batches, before other tasks run. While the scheduler
    /// sleeps, tokio waits for its events and deadlines. Fibers may wait for tasks, with
    /// [`future::block_on`](crate::future::block_on), and tasks may wake fibers. The output is that
    /// of `f`, or the reason why the main fiber returned none.
    ///
    /// The future must be polled on a thread inside [`fibra::frame`](crate::frame), and only there:
    /// put `frame` around the `block_on` of the runtime, which must be a `current_thread` runtime
    /// or a `LocalSet`, because fibers do not move between threads. The frame is what makes the
    /// future safe: when it is dropped, the main fiber is killed and all fibers are unwound. The
    /// drop runs the fibers alone until all have ended, so their destructors must not wait for
    /// tasks of the same thread. The end of the frame does the same if the future was forgotten, or
    /// dropped in a generator, in a greenlet, or while the thread unwinds. Fibers that
    /// cannot be unwound, under `panic = "abort"` for example, are
    /// [abandoned](crate::cancellation#fibers-that-are-abandoned), and so is the main fiber.
    ///
    /// The future may move to another task, and to another runtime of tokio on the same thread. A
    /// thread has one scheduler at a time: while the future runs, [`run`](crate::run) and other
    /// guests on the same thread are refused. A deadlock of all fibers is not found, because a task
    /// might end it. Deadlines end on the next millisecond.
    ///
    /// The guests of a frame, which run one after another, share three descriptors, and the frame
    /// keeps some kilobytes of each until its end. A program that needs fibers again and again
    /// should start one guest in a frame, and spawn fibers in it.
    ///
    /// # Panics
    ///
    /// Panics if the runtime has several threads, or a virtual clock. A poll of the future panics
    ///
    /// - outside of a frame, inside of a generator or greenlet, and in another frame than the
    ///   first;
    /// - if the thread has another scheduler;
    /// - outside of a runtime of tokio, or in one without I/O and time;
    /// - if no descriptors are left, at the first poll in a runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    /// let settings = fibra::Runtime::builder().stack_size(64 << 10);
    /// let sum = fibra::frame(|| {
    ///     let guest = settings.build().unwrap().guest(|| {
    ///         let fibers: Vec<_> = (0..10).map(|n| fibra::spawn(move || n)).collect();
    ///         fibers.into_iter().map(|fiber| fiber.join().unwrap()).sum::<u32>()
    ///     });
    ///     tokio.block_on(guest)
    /// });
    /// assert_eq!(sum, Ok(45));
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn guest<F, T>(self, f: F) -> Guest<T>
    where
        F: FnOnce() -> T + 'static,
        T: 'static,
    {
        assert!(self.threads() == 1, "a guest has one thread: build its runtime with one thread");
        assert!(
            !self.scheduler.time.clock.can_jump(),
            "a guest cannot have a virtual clock: the time of its host is real"
        );
        Guest(Stage::New(self, Box::new(f)))
    }
}

/// A future that runs fibers: see [`Runtime::guest`].
///
/// It is not `Send`: the fibers stay on the thread on which it was first polled.
#[must_use = "a future does nothing until it is polled"]
pub struct Guest<T>(Stage<T>);

enum Stage<T> {
    New(Runtime, Box<dyn FnOnce() -> T>),
    /// The frame holds the visit, and drops it at its end.
    Running(Weak<Visit<T>>, Bed),
    Over,
}

impl<T: 'static> Future for Guest<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.begin();
        let Stage::Running(visit, bed) = &mut self.0 else {
            panic!("a guest was polled after it had returned its result");
        };
        let Some(visit) = visit.upgrade() else {
            // The frame is over, and has ended the fibers.
            self.0 = Stage::Over;
            return Poll::Ready(Err(JoinError::Killed));
        };
        if !visit.is_over() {
            assert!(
                visit.may_turn(),
                "a guest was polled in another place than before: poll it in the same \
                 `fibra::frame`, outside of fibers, generators and greenlets"
            );
            if let Err(error) = bed.move_to(&current_runtime(), visit.sched()) {
                panic!("a guest could not move to another runtime of tokio: {error}");
            }
        }
        // The waker of the task is not called: it may run any code.
        let alarm = |_: &Context<'_>| -> Alarm {
            let wake = visit.sched().idle.waker();
            Box::new(move || wake.wake())
        };
        if bed.poll(cx, visit.sched(), &*visit, alarm).is_pending() {
            visit.set_host(cx.waker());
            return Poll::Pending;
        }
        let outcome = visit.take_outcome().expect("the outcome is taken once");
        self.0 = Stage::Over;
        give_back(&visit);
        Poll::Ready(outcome)
    }
}

impl<T: 'static> Guest<T> {
    /// Starts the scheduler, at the first poll.
    #[track_caller]
    fn begin(&mut self) {
        if !matches!(self.0, Stage::New(..)) {
            return;
        }
        let frame = frame_for_a_guest();
        let _ = current_runtime();
        let Stage::New(runtime, f) = std::mem::replace(&mut self.0, Stage::Over) else { return };
        let Runtime { scheduler, crew } = runtime;
        if let Some(old) = frame.legacy().as_ref().and_then(|old| old.downcast_ref()) {
            Driver::of(&scheduler).inherit(old);
        }
        let bed = match Bed::new(&scheduler) {
            Ok(bed) => bed,
            Err(error) => panic!("a guest could not start: {error}"),
        };
        let supervisor = crew.map(Crew::of_a_guest);
        let visit = Visit::begin(scheduler, frame, move || match supervisor {
            Some(supervisor) => supervisor.supervise(f),
            None => f(),
        });
        self.0 = Stage::Running(Rc::downgrade(&visit), bed);
    }
}

/// Returns the frame of this thread, in which a guest can begin.
#[track_caller]
fn frame_for_a_guest() -> Rc<Frame> {
    assert!(
        scheduler().is_none(),
        "a guest was polled on a thread that has a scheduler already, of `fibra::run` or of another \
         guest: use `fibra::spawn` in a fiber there, or await the other guest first"
    );
    let Some(frame) = Frame::current() else {
        panic!(
            "a guest was polled outside of `fibra::frame`: call \
             `fibra::frame(|| runtime.block_on(..))` on this thread"
        );
    };
    assert!(
        !frame.runs_coroutine(),
        "a guest was polled inside of a generator or greenlet: poll it on the thread's own stack"
    );
    frame
}

/// Returns the current runtime of tokio.
#[track_caller]
fn current_runtime() -> Handle {
    Handle::try_current().unwrap_or_else(|_| {
        panic!("a guest was polled outside of a runtime of tokio: pass it to `block_on` of one")
    })
}

/// Gives back what a guest that has ended needs no longer. The frame keeps the rest of its record.
fn give_back<T>(visit: &Visit<T>) {
    if let Some(poller) = Driver::of(visit.sched()).leave_poller() {
        visit.frame().set_legacy(Some(Rc::new(poller)));
    }
    visit.forget_host();
}

impl<T> Drop for Guest<T> {
    fn drop(&mut self) {
        let Stage::Running(visit, _) = &self.0 else { return };
        let Some(visit) = visit.upgrade() else { return };
        visit.cancel();
        if visit.is_over() {
            give_back(&visit);
        }
    }
}

impl<T> fmt::Debug for Guest<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.0 {
            Stage::New(..) => "new",
            Stage::Running(..) => "running",
            Stage::Over => "over",
        };
        f.debug_tuple("Guest").field(&stage).finish()
    }
}
