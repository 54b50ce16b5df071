//! The face of the scheduler to what is built on it: `channel/` and `sync/` use this and nothing
//! else.
//!
//! A primitive puts a [`WaitNode`] into a [`WaitList`] (through [`Enlisted`], which takes it out
//! again), waits with [`wait_until`], and whoever has something for it takes the node out, leaves
//! what it has, and calls `make_ready`. See the contract in [`crate::sched`].

pub(crate) use crate::fiber::header::FiberPtr;
pub(crate) use crate::fiber::snapshot::Deadlock;
pub(crate) use crate::fiber::state::{OnDeadlock, WaitReason};
pub(crate) use crate::fiber::wait_list::{Enlisted, Place, WaitList, WaitNode};
pub(crate) use crate::sched::choose::{Arm, Done};
pub(crate) use crate::sched::interrupt::Interrupt;
pub(crate) use crate::sched::park::{go_last, hand_over, spend, wait_until};
pub(crate) use crate::sched::scheduler::{Here, here, scheduler};
pub(crate) use crate::sched::timers::{Deadline, deadline_after};
