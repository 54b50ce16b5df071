//! One suspended call stack, and how control enters and leaves it.
//!
//! This layer does not choose the next fiber to run. It owns the record of a fiber ([`header`]),
//! its closure and output ([`task`]), the context switch ([`context`], [`switch`]), and what a
//! fiber carries with it: cancel scopes, fiber-locals, its place in a wait list. [`coroutine`] and
//! [`frame`] own the call stacks of generators and greenlets, which run on top of a fiber's stack
//! or of a thread's. [`borrowed_stack`] owns a stack that a fiber borrows for one call.
//!
//! Reading order: [`state`] (the life of a fiber, drawn), [`header`] (the memory, drawn),
//! [`context`], [`switch`], [`task`], then the rest as needed.

pub(crate) mod abandoned;
pub(crate) mod block;
pub(crate) mod borrowed_stack;
pub(crate) mod brief;
pub(crate) mod cancel;
pub(crate) mod cancel_scope;
pub(crate) mod carried;
pub(crate) mod chunk;
pub(crate) mod context;
pub(crate) mod coroutine;
pub(crate) mod coroutine_status;
pub(crate) mod current;
pub(crate) mod dump_difference;
pub(crate) mod dump_json;
pub(crate) mod dump_tree;
mod dump_uses;
pub(crate) mod end_hook;
pub(crate) mod exit;
pub(crate) mod extra;
pub(crate) mod frame;
pub(crate) mod header;
pub(crate) mod id;
pub(crate) mod identity;
pub(crate) mod inspect;
mod local_macro;
pub(crate) mod locals;
pub(crate) mod panic;
pub(crate) mod panic_hook;
pub(crate) mod park_token;
pub(crate) mod payload;
pub(crate) mod prefetch;
pub(crate) mod report;
pub(crate) mod roster;
pub(crate) mod shelves;
pub(crate) mod snapshot;
pub(crate) mod snapshot_text;
#[cfg(feature = "diagnostics")]
pub(crate) mod stack_groups;
pub(crate) mod state;
pub(crate) mod switch;
pub(crate) mod task;
pub(crate) mod token;
pub(crate) mod wait_list;
pub(crate) mod waits_for;
#[cfg(feature = "diagnostics")]
pub(crate) mod walk;
