//! Plain data structures, without fibers, clocks or file descriptors.
//!
//! Nothing in this folder switches stacks, so every structure is tested exhaustively by property
//! tests against a naive model, and can be run under Miri.
//!
//! - [`apart`]: values in cache lines of their own.
//! - [`by_value`]: implements `for` loops that consume a receiver.
//! - [`inbox`]: a queue for messages of other threads; pushing never blocks, and no message is
//!   lost.
//! - [`layout`]: where foreign types keep their parts, measured on samples, for debuggers.
//! - [`locked`]: locks of internal state that a panic does not poison.
//! - [`marks`]: a word for each index, in which equal messages of several threads merge.
//! - [`once_box`]: a value in a box that is made when it is first needed.
//! - [`orders`]: the requests that other threads make of one tasklet; bounded.
//! - [`publish`]: the fence between a publication and a look, and the places that use it.
//! - `publish_model`: models of two threads that do so, for tests.
//! - [`run_ring`]: the order in which fibers run.
//! - [`shared_counter`]: a counter that other threads may read while it changes.
//! - [`slot_table`]: values behind generation-checked keys; a stale key finds nothing.
//! - [`timing_wheel`]: deadlines in the order in which they fall due.
//! - [`words`]: a short queue for messages of other threads that are one word.

pub(crate) mod apart;
pub(crate) mod by_value;
pub(crate) mod inbox;
pub(crate) mod layout;
pub(crate) mod locked;
pub(crate) mod marks;
pub(crate) mod once_box;
pub(crate) mod orders;
pub(crate) mod publish;
#[cfg(test)]
pub(crate) mod publish_model;
pub(crate) mod run_ring;
pub(crate) mod shared_counter;
pub(crate) mod slot_table;
pub(crate) mod timing_wheel;
pub(crate) mod words;
