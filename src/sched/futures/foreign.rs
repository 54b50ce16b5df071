//! The fiber that calls and drops wakers of unknown origin, which may run any code.
//!
//! ```text
//!   event --> is it an own waker? -- yes --> its fiber is ready
//!               no --> [ calls ] --> the caller: a fiber, made at the first call, which rests
//!                                    between the calls
//! ```
//!
//! Invariants:
//! - A scheduler has at most one fiber that takes calls. If that fiber waits in the middle of a
//!   call, another one takes its place, at the latest in the next turn; the first one ends after
//!   its call.
//! - A call that is queued is made, whatever the calls before it do: panics are caught, and if a
//!   kill unwinds the caller, another one takes its place. While `run` ends, each call has a fiber
//!   of its own, because some destructor may wait for it.
//! - A caller that rests is part of no deadlock, no dump and no count of fibers, and ends when
//!   `run` does.

use std::panic::{self, AssertUnwindSafe, Location};

use crate::fiber::exit;
use crate::fiber::report::report_lost;
use crate::fiber::state::State;
use crate::sched::core::caller::{Call, RESTING, is_resting};
use crate::sched::core::end;
use crate::sched::core::park::{spend, wait_until};
use crate::sched::core::scheduler::{
    CurrentFiber, Scheduler, current_fiber, scheduler, try_current_fiber,
};

impl Scheduler {
    /// Makes `call` on a fiber. May be called in the run loop and while internal state is borrowed.
    pub(crate) fn make_call(&self, call: Call) {
        if self.closing.get() {
            return self.make_call_alone(call);
        }
        self.caller.calls.borrow_mut().push_back(call);
        self.see_to_calls();
    }

    /// Makes the caller ready, if there are calls to make; or makes another fiber the caller, if
    /// there is none or it waits in the middle of a call.
    pub(crate) fn see_to_calls(&self) {
        if self.caller.is_idle() {
            return;
        }
        let caller = self.caller.fiber.get().and_then(|key| self.fiber_of(key));
        match caller {
            Some(caller) if is_resting(caller) => self.make_ready(caller),
            Some(caller) if matches!(caller.state.get(), State::New | State::Runnable) => {}
            _ => self.appoint_caller(),
        }
    }

    /// Lets the caller, if it rests, end. The scheduler is closing.
    pub(crate) fn dismiss_caller(&self) {
        let caller = self.caller.fiber.get().and_then(|key| self.fiber_of(key));
        if let Some(caller) = caller.filter(|&caller| is_resting(caller)) {
            self.make_ready(caller);
        }
    }

    #[cold]
    #[inline(never)]
    fn appoint_caller(&self) {
        let rest = Rest;
        let fiber = self.create_paused(move || rest.serve(), Location::caller());
        self.caller.fiber.set(Some(fiber.ptr().key.get()));
        self.unpause(fiber.ptr());
    }

    /// Makes `call` on a fiber of its own. A fiber that is created while `run` ends only drops its
    /// closure, and that makes the call, too.
    #[cold]
    fn make_call_alone(&self, call: Call) {
        let alone = Alone(Some(call));
        let fiber = self.create_paused(move || drop(alone), Location::caller());
        self.unpause(fiber.ptr());
    }
}

/// A call that is made when this is dropped: whether the closure that owns it runs or not.
struct Alone(Option<Call>);

impl Drop for Alone {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(Call::make);
    }
}

/// The duty of the caller. When it is dropped, other fibers make the calls that are left.
struct Rest;

impl Rest {
    fn serve(&self) {
        let current = current_fiber();
        let CurrentFiber { fiber, sched } = current;
        let is_caller = || sched.caller.fiber.get() == Some(fiber.key.get());
        loop {
            while let Some(call) = sched.caller.next() {
                make(current, call);
                if !is_caller() {
                    return;
                }
                // A burst of calls lets others run.
                spend(current);
            }
            let is_called = || !sched.caller.is_idle() || sched.closing.get();
            if wait_until(current, &RESTING, is_called).is_err() || sched.closing.get() {
                return;
            }
        }
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        let Some(sched) = scheduler() else { return };
        if sched.closing.get() {
            while let Some(call) = sched.caller.next() {
                sched.make_call_alone(call);
            }
        } else if !sched.caller.is_idle() {
            // It still runs, and must not be taken for the caller.
            let me = try_current_fiber().map(|current| current.fiber.key.get());
            if sched.caller.fiber.get() == me {
                sched.caller.fiber.set(None);
            }
            sched.see_to_calls();
        }
    }
}

/// Makes one call. A panic is reported, because no caller can receive it; a kill goes on.
fn make(current: CurrentFiber, call: Call) {
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| call.make())) {
        if exit::is_unwind(&*payload) {
            panic::resume_unwind(payload);
        }
        report_lost(format_args!("a waker panicked in {}", end::describe(&current.fiber)), payload);
    }
}
