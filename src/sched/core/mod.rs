//! The scheduler itself: the run ring, the ways out of a running fiber and back, the loop that
//! resumes fibers, the interrupts of waits, and the ends of fibers.
//!
//! | word | meaning |
//! |---|---|
//! | run ring | the queue of ready fibers |
//! | budget | the operations that a fiber may do without waiting before it yields |
//! | interrupt | an early end of a wait: by a kill, a deadline or a deadlock |
//! | pending throw | a payload with which a fiber unwinds when it runs again |
//! | paused | in no queue: taken out of the ring, or never put into it |
//! | abandoned | never resumed again, with its stack kept forever |
//! | signals | the flags of a fiber that its next wait reads |
//! | external wait | a wait that an event in real time ends |
//!
//! Reading order: [`scheduler`], [`leave`], [`park`], [`run_loop`], [`interrupt`], [`end`].
//!
//! It may use `time` and `shared`, of whose types the scheduler has fields.

pub(crate) mod abandon;
pub(crate) mod arm_turns;
pub(crate) mod caller;
pub(crate) mod carry;
pub(crate) mod children;
pub(crate) mod choose;
pub(crate) mod create;
pub(crate) mod deadline;
pub(crate) mod deadlocks;
pub(crate) mod debugger;
pub(crate) mod end;
pub(crate) mod facade;
pub(crate) mod hooks;
pub(crate) mod interrupt;
pub(crate) mod io_error;
pub(crate) mod kill;
pub(crate) mod leave;
pub(crate) mod limit;
pub(crate) mod main_fiber;
pub(crate) mod observe;
pub(crate) mod observer;
#[cfg(feature = "http-client")]
pub(crate) mod of_main;
pub(crate) mod pace;
pub(crate) mod park;
pub(crate) mod pause;
pub(crate) mod pending_throw;
pub(crate) mod region;
pub(crate) mod run_loop;
pub(crate) mod scheduler;
pub(crate) mod spare;
pub(crate) mod take_work;
pub(crate) mod trim;
pub(crate) mod unwinding;
pub(crate) mod unwinds;
pub(crate) mod watch;
pub(crate) mod watched;
pub(crate) mod work;
