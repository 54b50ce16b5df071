//! Plain data structures: no fiber, no clock, no file descriptor in here.
//!
//! Nothing in this folder switches stacks, so every structure is tested exhaustively by property
//! tests against a naive model, and can be run under Miri.
//!
//! - [`slot_table`]: values behind generation-checked keys; a stale key reaches nothing.
//! - [`timing_wheel`]: deadlines in the order in which they fall due.

pub(crate) mod slot_table;
pub(crate) mod timing_wheel;
