//! The parts of a scheduler that other threads hold, and the scheduler's own lists of them. Nothing
//! here uses the scheduler itself: other threads know a fiber by a key (an index and a generation),
//! an owner by a number, and a scheduler by its mailbox.
//!
//! | word | meaning |
//! |---|---|
//! | mailbox | the queue in which other threads post, and the waker of the scheduler's thread |
//! | ticket | the outcome of one wait, shared by both sides and decided once |
//! | owner | the holder of a lock, in one word |
//! | place | a number of 16 bits by which wakers and tickets find the mailbox of a scheduler |
//! | registry | the table of all schedulers of the process, and of their waits for locks |
//!
//! Reading order: [`mailbox`], [`places`], [`ticket`], [`outside`], [`owner`], [`registry`].
//!
//! It may use `time`.

pub(crate) mod circles;
pub(crate) mod holder;
pub(crate) mod kill_request;
pub(crate) mod mailbox;
pub(crate) mod outside;
pub(crate) mod owner;
pub(crate) mod places;
pub(crate) mod registry;
pub(crate) mod ticket;
pub(crate) mod witnesses;
