//! The interface of the scheduler for the modules that are built on it. `channel/` and `sync/` use
//! this module and no other part of the scheduler.
//!
//! To wait, a primitive puts a [`WaitNode`] into a [`WaitList`] (through [`Enlisted`], which takes
//! it out again) and calls [`wait_until`]. To wake, it takes the node out, stores the value for the
//! waiter, and calls `make_ready`. See the contract in [`crate::sched`].
//!
//! A primitive that works across threads keeps [`Ticket`]s instead of nodes, and waits with
//! [`wait_for_others`]. Its callers may be plain threads: [`try_current_fiber`], [`clock_now`],
//! [`Owner`].

pub(crate) use crate::collections::locked::locked;
pub(crate) use crate::fiber::header::{FiberPtr, FiberRef};
#[cfg(feature = "net")]
pub(crate) use crate::fiber::prefetch::stack as prefetch_stack;
pub(crate) use crate::fiber::snapshot::Deadlock;
pub(crate) use crate::fiber::state::{OnDeadlock, WaitReason};
pub(crate) use crate::fiber::wait_list::{Enlisted, Place, WaitList, WaitNode};
#[cfg(feature = "net")]
pub(crate) use crate::fiber::waits_for::Descriptor;
#[cfg(any(feature = "http", feature = "tls"))]
pub(crate) use crate::sched::api::with_stack::on_warm_stack;
pub(crate) use crate::sched::core::carry::refuse_at_door;
pub(crate) use crate::sched::core::choose::{Arm, Demands, Done};
pub(crate) use crate::sched::core::deadline::{Deadline, deadline_after};
pub(crate) use crate::sched::core::interrupt::{Interrupt, checkpoint};
pub(crate) use crate::sched::core::io_error::interrupted;
#[cfg(feature = "net")]
pub(crate) use crate::sched::core::io_error::{is_killed, timed_out};
pub(crate) use crate::sched::core::leave::go_last;
pub(crate) use crate::sched::core::limit::{Limit, clock_now};
#[cfg(feature = "http-client")]
pub(crate) use crate::sched::core::of_main::shared_by_all;
#[cfg(feature = "net")]
pub(crate) use crate::sched::core::park::wait_for_events;
pub(crate) use crate::sched::core::park::{hand_over, spend, spend_many, wait_until};
pub(crate) use crate::sched::core::scheduler::{
    CurrentFiber, current_fiber, scheduler, try_current_fiber,
};
pub(crate) use crate::sched::core::take_work::nothing_else_can_run;
#[cfg(feature = "net")]
pub(crate) use crate::sched::core::unwinding::{Unwinding, unwinding};
pub(crate) use crate::sched::futures::task::call_waker;
#[cfg(feature = "net")]
pub(crate) use crate::sched::futures::task::waker as own_waker;
pub(crate) use crate::sched::shared::holder::{Holder, Needs, Readers};
pub(crate) use crate::sched::shared::outside::OutsideWait;
pub(crate) use crate::sched::shared::owner::Owner;
pub(crate) use crate::sched::shared::ticket::OutcomeCell;
pub(crate) use crate::sched::shared::ticket::Ticket;
pub(crate) use crate::sched::shared::ticket::WaitOutcome;
pub(crate) use crate::sched::threads::outside::wait_for_others;
pub(crate) use crate::sched::time::clock::{Clock, RealClock};
pub(crate) use crate::sched::time::idle::Parker;
