//! Plain data structures: no fiber, no clock, no file descriptor in here.
//!
//! Nothing in this folder switches stacks, so every structure is tested exhaustively by property
//! tests against a naive model, and can be run under Miri.
//!
//! - [`by_value`]: what `for` needs of a source that it owns.
//! - [`inbox`]: what other threads push; never blocks, loses nothing.
//! - [`locked`]: locks of internal state that a panic does not poison.
//! - [`marks`]: a word for each index, where equal messages of several threads merge.
//! - [`orders`]: what is asked of one tasklet from afar; bounded.
//! - [`publish`]: the fence between a publication and a look, and where it stands.
//! - [`run_ring`]: the order in which fibers run.
//! - [`slot_table`]: values behind generation-checked keys; a stale key reaches nothing.
//! - [`timing_wheel`]: deadlines in the order in which they fall due.

pub(crate) mod by_value;
pub(crate) mod inbox;
pub(crate) mod locked;
pub(crate) mod marks;
pub(crate) mod orders;
pub(crate) mod publish;
pub(crate) mod run_ring;
pub(crate) mod slot_table;
pub(crate) mod timing_wheel;
