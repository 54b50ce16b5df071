//! A runtime of tokio for the fibers of a scheduler.
//!
//! Invariants:
//! - The context of tokio is entered during the whole `run` of the scheduler, by code on the
//!   thread's own stack. So no fiber enters or leaves it, and none can do so out of order.
//! - If the scheduler runs on a generator or greenlet, no task can leave that: the run loop would
//!   be suspended, and its thread would have a scheduler that does not run.
//! - A runtime that belongs to a scheduler is dropped when the fibers have ended, and it does not
//!   wait for its blocking tasks.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::future;
use std::io;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Instant;

use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};

use crate::collections::run_ring::Alarm;
use crate::fiber::frame;
use crate::host::bed::Bed;
use crate::reactor::driver::Driver;
use crate::sched::core::scheduler::scheduler;
use crate::sched::time::idle::{Idle, Turns, Wake};

/// The choice of a runtime of tokio.
#[derive(Clone, Debug)]
pub(crate) enum Companion {
    None,
    /// One that belongs to the scheduler.
    Own,
    /// One that threads of its own drive.
    Given(Handle),
}

impl Companion {
    pub(crate) fn is_any(&self) -> bool {
        !matches!(self, Companion::None)
    }

    /// Returns the runtime of the caller in place of an own one, if it has threads of its own.
    pub(crate) fn look_around(&self) -> Companion {
        match (self, Handle::try_current()) {
            (Companion::Own, Ok(handle)) if has_threads(&handle) => Companion::Given(handle),
            _ => self.clone(),
        }
    }
}

fn has_threads(handle: &Handle) -> bool {
    handle.runtime_flavor() != RuntimeFlavor::CurrentThread
}

/// An [`Idle`] whose scheduler has a runtime of tokio.
pub(crate) struct TokioIdle {
    driver: Driver,
    handle: Handle,
    /// The runtime behind `handle`, if it belongs to the scheduler.
    own: Cell<Option<Runtime>>,
}

impl TokioIdle {
    pub(crate) fn new(companion: &Companion) -> io::Result<TokioIdle> {
        let driver = Driver::new();
        if let Companion::Given(handle) = companion {
            return Ok(TokioIdle { driver, handle: handle.clone(), own: Cell::new(None) });
        }
        // Inside a runtime of one thread, `run` stops that thread, and no other can drive it.
        let mut builder = if Handle::try_current().is_ok() {
            let mut threads = Builder::new_multi_thread();
            threads.worker_threads(1);
            threads
        } else {
            Builder::new_current_thread()
        };
        let own = builder.enable_all().build()?;
        Ok(TokioIdle { driver, handle: own.handle().clone(), own: Cell::new(Some(own)) })
    }

    /// Drives `runtime`, which has no threads, and the scheduler, until the main fiber has ended.
    fn run_together(runtime: &Runtime, turns: &dyn Turns) {
        let sched = scheduler().expect("a scheduler runs its own turns");
        runtime.block_on(async {
            let mut bed = match Bed::new(&sched) {
                Ok(bed) => bed,
                Err(error) => panic!("fibra could not wait in tokio: {error}"),
            };
            // tokio's own waker: it runs no user code.
            let alarm = |cx: &Context<'_>| -> Alarm {
                let waker: Waker = cx.waker().clone();
                Box::new(move || waker.wake())
            };
            future::poll_fn(|cx| bed.poll(cx, &sched, turns, alarm)).await;
        });
    }
}

impl Idle for TokioIdle {
    fn drive(&self, turns: &dyn Turns) -> bool {
        // `run` may have been called on a generator or greenlet of the thread.
        let _door = frame::keep_on_coroutine();
        match self.own.take() {
            Some(runtime) if !has_threads(&self.handle) => {
                TokioIdle::run_together(&runtime, turns);
                runtime.shutdown_background();
            }
            own => {
                let _context = self.handle.enter();
                turns.run_until_done();
                own.into_iter().for_each(Runtime::shutdown_background);
            }
        }
        true
    }

    fn poll(&self) {
        self.driver.poll();
    }

    fn wait(&self, until: Option<Instant>) {
        self.driver.wait(until);
    }

    fn waker(&self) -> Arc<dyn Wake> {
        self.driver.waker()
    }

    fn take_wakers(&self) -> Vec<Waker> {
        self.driver.take_wakers()
    }

    fn as_any(&self) -> &dyn Any {
        &self.driver
    }
}

impl Drop for TokioIdle {
    fn drop(&mut self) {
        // A runtime that is dropped inside another one would panic: it waits for its tasks.
        self.own.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

impl fmt::Debug for TokioIdle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokioIdle").field("driver", &self.driver).finish_non_exhaustive()
    }
}
