//! The fiber that keeps a scope across threads open until all its jobs have ended.
//!
//! ```text
//!   waits ------------------- body and jobs have ended --> raises the panic that nothing joined
//!     |\__ killed: closes the scope, kills the jobs,    --/
//!     |    waits in a shield until all jobs have ended
//!     \___ a job was abandoned: waits until it is abandoned as well
//! ```
//!
//! Invariants:
//! - The fiber ends only when no job of the scope is left, and none can begin. If it unwinds before
//!   that, the process is aborted.
//! - It is abandoned only while `run` ends. Then the fiber that opened the scope is abandoned too.

use std::cell::Cell;
use std::future::poll_fn;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use crate::fiber::carried;
use crate::fiber::report::AbortOnUnwind;
use crate::fiber::state::{OnDeadlock, WaitReason};
use crate::future::block_on::wait_within;
use crate::jobs::children::{Children, Standing};
use crate::jobs::handle::Handle;
use crate::jobs::worker;
use crate::sched::api::shield::shield;
use crate::sched::core::leave::leave;
use crate::sched::core::limit::Limit;
use crate::sched::core::scheduler::current_fiber;

static SCOPE: WaitReason = WaitReason::new("waiting for the jobs of its scope", OnDeadlock::Fail)
    .ended_externally()
    .ended_by_wakers();

static FOREVER: WaitReason =
    WaitReason::new("waiting for a job of its scope that was abandoned", OnDeadlock::Last);

/// The end of the body of a scope, when this is dropped.
pub(super) struct Body<'a>(pub(super) &'a Arc<Children>);

impl Drop for Body<'_> {
    fn drop(&mut self) {
        if let Some(waker) = self.0.body_ended() {
            waker.wake();
        }
    }
}

/// The fiber that the local scope waits for.
pub(super) struct Guard {
    pub(super) children: Arc<Children>,
    /// Set when it runs.
    pub(super) started: Rc<Cell<bool>>,
}

impl Guard {
    /// Waits until the body and all jobs have ended, and raises the panic of a job that was not
    /// joined.
    pub(super) fn wait(self) {
        self.started.set(true);
        let unwinds = AbortOnUnwind("the guard of a scope across threads");
        let ended = panic::catch_unwind(AssertUnwindSafe(|| wait_for(&self.children)));
        if !matches!(ended, Ok(true)) {
            // It was killed, and so must the jobs be. The body may have been abandoned: in a closed
            // scope nothing waits for its end.
            shield(|| {
                self.children.close();
                kill_all(&self.children, &Handle::current());
                while !wait_for(&self.children) {}
            });
        }
        mem::forget(unwinds);
        if let Some(payload) = self.children.take_panic() {
            panic::resume_unwind(payload);
        }
    }
}

/// Waits until the scope is over. Returns whether it is: not if the fiber was killed and cannot
/// unwind.
fn wait_for(children: &Children) -> bool {
    let standing = poll_fn(|cx| match children.standing(cx.waker()) {
        Standing::Runs => Poll::Pending,
        standing => Poll::Ready(standing),
    });
    match wait_within(pin!(standing), Limit::None, &SCOPE) {
        Ok(Standing::NeverEnds) => {
            drop(children.take_waker());
            wait_forever()
        }
        outcome => outcome.is_ok(),
    }
}

/// Waits until the fiber is abandoned, in a wait that does not keep `run` from finding that nothing
/// can end it.
#[cold]
pub(super) fn wait_forever() -> ! {
    let current = current_fiber();
    carried::go_away(current.fiber);
    loop {
        leave(current, &FOREVER);
    }
}

/// Kills the jobs of a scope, on all schedulers.
pub(super) fn kill_all(children: &Arc<Children>, handle: &Handle) {
    children.cancel();
    let children = children.clone();
    // If the runtime has ended, these jobs are refused, and the fibers of all schedulers are
    // killed.
    handle.broadcast(move || {
        worker::with(|sched, worker| {
            worker.into_iter().for_each(|worker| worker.kill_children(sched, &children));
        });
    });
}
