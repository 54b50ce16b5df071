//! Requests of other threads to fibers, on the side of the fibers: how mail is delivered, and how a
//! fiber waits for something that another thread may complete. The parts that those threads hold
//! and call are in `shared`.
//!
//! | word | meaning |
//! |---|---|
//! | mail | a message from another thread, which names a fiber by its key |
//! | order | mail to a tasklet: insert, remove, run, throw |
//! | ticket | the outcome of one wait, shared by both sides and decided once |
//! | unparker | a handle that wakes a fiber from any thread |
//!
//! Reading order: [`deliver`], [`outside`], [`remote`], [`elsewhere`].
//!
//! It may use `shared`, `core`, `tasklet` and `futures`.

pub(crate) mod deliver;
pub(crate) mod elsewhere;
pub(crate) mod outside;
pub(crate) mod remote;
