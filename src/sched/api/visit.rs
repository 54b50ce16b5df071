//! A scheduler that lives in the frame of a thread, between whose turns other code of the frame
//! runs.
//!
//! ```text
//!   frame(|| ...)
//!     Visit::begin: the scheduler is that of the thread from now on
//!     turn, other code, turn, other code ...
//!     the main fiber ends, or `end` is called: no fiber is left, the thread has no scheduler
//!   the end of the frame: `end`; then the scheduler is dropped
//! ```
//!
//! Invariants:
//! - The frame holds the visit, so that its end cannot be prevented: a future that is forgotten
//!   leaves nothing behind. Others hold it weakly, except during a call.
//! - So the scheduler is dropped when the code of the frame is over: until then, a function of this
//!   crate that has looked it up may be in the middle of a call.
//! - A thread has one scheduler at a time: no other visit begins, and no `run`, while one lasts.

#![allow(unsafe_code, reason = "creates a main fiber, whose closure borrows nothing")]

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::task::Waker;
use std::thread;

use crate::collections::run_ring::Alarm;
use crate::fiber::abandoned;
use crate::fiber::current::{self, ThreadState};
use crate::fiber::exit::JoinError;
use crate::fiber::frame::{Frame, Resident};

use crate::sched::api::join::JoinHandle;
use crate::sched::api::run::{create_main, replace_main};
use crate::sched::core::end::AbortOnUnwind;
use crate::sched::core::scheduler::Scheduler;
use crate::sched::time::idle::{Next, Turns};
use crate::stack::{Keep, Pool};

/// A scheduler that lives in the frame of a thread.
pub(crate) struct Visit<T> {
    sched: Box<Scheduler>,
    frame: Rc<Frame>,
    /// The handle of the main fiber, until its output is taken.
    main: RefCell<Option<JoinHandle<T>>>,
    /// Whether a turn is under way.
    in_turn: Cell<bool>,
    is_over: Cell<bool>,
    /// Whether a fiber unwound when the last turn ended.
    left_unwinding: Cell<bool>,
    /// The waker of the task that calls the turns, which is told when the frame is over.
    host: RefCell<Option<Waker>>,
}

impl<T: 'static> Visit<T> {
    /// Makes `sched` the scheduler of this thread, with a main fiber that runs `f`. The thread must
    /// have no scheduler, and `frame` must be its own.
    #[track_caller]
    pub(crate) fn begin<F>(sched: Box<Scheduler>, frame: Rc<Frame>, f: F) -> Rc<Visit<T>>
    where
        F: FnOnce() -> T + 'static,
    {
        ThreadState::with(|thread| {
            debug_assert!(thread.scheduler.get().is_null(), "a thread has one scheduler");
            thread.scheduler.set((&raw const *sched).cast());
            thread.inherits.set(false);
            thread.shelves.open();
        });
        sched.listed.show((&raw const *sched).cast());
        // SAFETY: `f` and its output borrow nothing.
        let main = unsafe { create_main(&sched, Location::caller(), f) };
        // SAFETY: the visit keeps the scheduler in its box. It stays on this thread, as long as the
        // frame, and drops the scheduler there.
        unsafe { sched.watch_begins() };
        sched.main.successor.set(Some(replace_main));
        let visit = Rc::new(Visit {
            sched,
            frame: frame.clone(),
            main: RefCell::new(Some(main)),
            in_turn: Cell::new(false),
            is_over: Cell::new(false),
            left_unwinding: Cell::new(false),
            host: RefCell::new(None),
        });
        frame.admit(visit.clone());
        visit
    }
}

impl<T> Visit<T> {
    pub(crate) fn sched(&self) -> &Scheduler {
        &self.sched
    }

    /// Returns whether no fiber is left.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.get()
    }

    /// Returns whether the caller may call [`turn`](Turns::turn): it runs on the thread's own
    /// stack, in the frame in which the visit began, and in no turn.
    pub(crate) fn may_turn(&self) -> bool {
        let here = Frame::of_bare_thread();
        here.is_some_and(|here| Rc::ptr_eq(&here, &self.frame)) && !self.in_turn.get()
    }

    /// Returns the frame in which it lives.
    pub(crate) fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Drops the waker of the task that calls the turns: user code.
    pub(crate) fn forget_host(&self) {
        let host = self.host.take();
        drop(host);
    }

    /// Sets the waker of the task that calls the turns.
    pub(crate) fn set_host(&self, waker: &Waker) {
        let known = self.host.borrow().as_ref().is_some_and(|host| host.will_wake(waker));
        if !known {
            let waker = waker.clone();
            let before = self.host.borrow_mut().replace(waker);
            drop(before);
        }
    }

    /// Takes the outcome of the main fiber, which has ended.
    pub(crate) fn take_outcome(&self) -> Option<Result<T, JoinError>> {
        let main = self.main.borrow_mut().take();
        main.map(JoinHandle::join)
    }

    /// Kills the main fiber. Runs all fibers to their end, if the caller may do that: otherwise the
    /// end of the frame does it.
    pub(crate) fn cancel(&self) {
        if self.is_over() {
            return;
        }
        self.kill_main();
        if self.may_turn() && !thread::panicking() {
            self.run_until_done();
        }
    }

    fn kill_main(&self) {
        self.sched.hosted.is_ending.set(true);
        if let Some(main) = self.sched.main.get() {
            self.sched.kill(main);
        }
    }

    /// Calls `f`, which runs fibers, and does not unwind.
    fn run<R>(&self, f: impl FnOnce(&Scheduler) -> R) -> R {
        debug_assert!(self.may_turn() && !self.is_over());
        let _pool = current::use_pool(&self.sched.pool);
        // A fiber may be suspended in a destructor that runs because of a panic.
        let outside = thread::panicking() && !self.left_unwinding.get();
        self.sched.unwinds.outside_of_run.set(outside);
        self.in_turn.set(true);
        let in_loop = AbortOnUnwind("the run loop");
        let result = f(&self.sched);
        std::mem::forget(in_loop);
        self.in_turn.set(false);
        self.left_unwinding.set(thread::panicking() && !outside);
        if self.sched.main_ended.get() {
            self.finish();
        }
        result
    }

    /// Takes the scheduler, whose fibers have all ended, off the thread, and gives its stacks back.
    fn finish(&self) {
        self.is_over.set(true);
        self.sched.listed.hide();
        drop(self.sched.attached.take());
        ThreadState::with(|thread| {
            thread.scheduler.set(std::ptr::null());
            thread.shelves.close();
        });
        let spare = self.sched.spare.stack.borrow_mut().take();
        let mut pool = self.sched.pool.borrow_mut();
        spare.into_iter().for_each(|spare| pool.give(spare));
        // An ended visit may stay for long. A pool that is dropped keeps no stack.
        *pool = Pool::new(Keep::FIXED);
        drop(pool);
        if let Some(code) = self.sched.main.exit_code.get() {
            abandoned::leave_process(code);
        }
    }
}

impl<T> Turns for Visit<T> {
    fn turn(&self) -> Next {
        if self.is_over() { Next::Over } else { self.run(Turns::turn) }
    }

    fn rest(&self, alarm: Alarm) -> bool {
        self.sched.rest(alarm)
    }

    fn run_until_done(&self) {
        if !self.is_over() {
            self.run(Turns::run_until_done);
        }
    }
}

impl<T> Resident for Visit<T> {
    fn end(&self) {
        if !self.is_over() {
            self.kill_main();
            self.run_until_done();
        }
    }
}

impl<T> Drop for Visit<T> {
    fn drop(&mut self) {
        self.host.get_mut().take().into_iter().for_each(Waker::wake);
    }
}

impl<T> fmt::Debug for Visit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visit").field("is_over", &self.is_over()).finish_non_exhaustive()
    }
}
