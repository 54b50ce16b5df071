//! The face of the scheduler to what is built on it: `channel/` and `sync/` use this and nothing
//! else.
//!
//! A primitive puts a [`WaitNode`] into a [`WaitList`] (through [`Enlisted`], which takes it out
//! again), waits with [`wait_until`], and whoever has something for it takes the node out, leaves
//! what it has, and calls `make_ready`. See the contract in [`crate::sched`].
//!
//! One that works across threads keeps [`Ticket`]s instead of nodes, and waits with
//! [`wait_for_others`]. Its callers may be plain threads: [`try_here`], [`clock_now`], [`Owner`].

pub(crate) use crate::collections::locked::locked;
pub(crate) use crate::fiber::header::{FiberPtr, FiberRef};
#[cfg(feature = "net")]
pub(crate) use crate::fiber::prefetch::stack as prefetch_stack;
pub(crate) use crate::fiber::snapshot::Deadlock;
pub(crate) use crate::fiber::state::{OnDeadlock, WaitReason};
pub(crate) use crate::fiber::wait_list::{Enlisted, Place, WaitList, WaitNode};
pub(crate) use crate::sched::choose::{Arm, Done};
pub(crate) use crate::sched::idle::Parker;
pub(crate) use crate::sched::interrupt::{Interrupt, checkpoint};
pub(crate) use crate::sched::io_error::interrupted;
#[cfg(feature = "net")]
pub(crate) use crate::sched::io_error::{is_killed, timed_out};
pub(crate) use crate::sched::limit::{Limit, clock_now};
pub(crate) use crate::sched::lock_graph::{Holder, Needs, Readers};
pub(crate) use crate::sched::outside::{Fate, FateCell, OutsideWait, Ticket, wait_for_others};
pub(crate) use crate::sched::owner::Owner;
pub(crate) use crate::sched::park::{go_last, hand_over, spend, wait_until};
#[cfg(feature = "net")]
pub(crate) use crate::sched::park::{spend_many, wait_for_events};
pub(crate) use crate::sched::scheduler::{Here, here, scheduler, try_here};
pub(crate) use crate::sched::timers::{Deadline, deadline_after};
#[cfg(feature = "net")]
pub(crate) use crate::sched::unwinding::{Unwinding, unwinding};
#[cfg(any(feature = "http", feature = "tls"))]
pub(crate) use crate::sched::with_stack::on_warm_stack;
