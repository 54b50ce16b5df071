//! The fence between a publication and a look, and the list of all places that need it.
//!
//! Two threads each write one word and then read the word of the other. At least one of them must
//! see what the other has written, or a wake is lost. Release and acquire do not guarantee that:
//! both reads may be served before either write is visible (store buffering). A sequentially
//! consistent fence between the write and the read, **on both sides**, does.
//!
//! - *A message and a sleep.* [`Inbox::push`] appends, then [`Inbox::claim_wake`] checks whether
//!   the reader sleeps. [`Inbox::announce_sleep`] stores that it sleeps, then looks for messages.
//! - *The last handle and a deadlock.* [`Token::release`] lowers the count, then calls
//!   `claim_wake`. The other side calls `announce_sleep`, then `Scheduler::outsiders_may_wake`
//!   reads the counts.
//! - *The last other handle of a shared channel, or the last foreign holder of a lock, and a
//!   deadlock.* The count is lowered, then `Mailbox::nudge` calls `claim_wake`. The other side
//!   calls `announce_sleep`, then `OutsideWait::others_exist`.
//! - *A kill request and the opening of the poller.* `KillRequest::ask` sets its flag, then
//!   `Bed::call` looks for a poller to wake. `Bed::open` publishes the poller, then the next turn
//!   looks at the flag.
//! - *A message and the opening of the poller.* `push` claims the wake, then `Bed::call` looks for
//!   a poller. The poller is opened before `announce_sleep`, whose announcement the claim has read:
//!   the order follows from that alone.
//! - *A job and a scheduler that is about to sleep.* Code that queues a job then calls [`fence`]
//!   and `Sleepers::one_to_wake`. The scheduler calls `Sleepers::announce`, then looks at the
//!   queues. `Sleepers::end_search` is the same for a search. The models are in `jobs/sleepers.rs`.
//! - *A job and the end of its runtime.* `Shared::inject` and `Shared::direct` queue the job, then
//!   wake a scheduler, which begins with a fence, then call `CurrentStage::is_closed_after_push`.
//!   `CurrentStage::advance` sets the stage, then the schedulers empty the queues. The models are
//!   in `jobs/stage.rs`.
//! - *A value and a receiver that waits*, in `sync/mpmc`. `Shared::push` appends to the ring, then
//!   looks at the word of the receivers. A receiver publishes itself in that word
//!   (`Locked::announce_and_release`), then looks at the ring.
//! - *Room and a sender that waits*: the same with `Shared::pop` and the word of the senders.
//! - *A value and the end of the receivers*: `Shared::push` as before. The last receiver marks the
//!   word (`Shared::end_of_receivers`), then empties the ring.
//!
//! Each pair calls [`fence`]; the models in `sched/tests/publish.rs` and `sync/mpmc/publish.rs`,
//! which run the real types, count lost wakes under Miri. Each model also runs without the fences,
//! and must lose some wakes then (`.ci/miri`). Models of the first two pairs, in
//! `sched/tests/loom.rs`, try all orders of the steps (`.ci/loom`).
//!
//! [`Inbox::push`]: crate::collections::inbox::Inbox::push
//! [`Inbox::claim_wake`]: crate::collections::inbox::Inbox::claim_wake
//! [`Inbox::announce_sleep`]: crate::collections::inbox::Inbox::announce_sleep
//! [`Token::release`]: crate::fiber::token::Token::release

#![forbid(unsafe_code)]

#[cfg(loom)]
use loom::sync::atomic;
#[cfg(not(loom))]
use std::sync::atomic;
use std::sync::atomic::Ordering;

#[cfg(test)]
thread_local! {
    /// Whether the fences of this thread are active. The models disable them to show what they
    /// prevent.
    pub(crate) static FENCED: std::cell::Cell<bool> = const { std::cell::Cell::new(true) };
}

/// Orders what this thread has published before what it looks at next.
#[inline(always)]
pub(crate) fn fence() {
    #[cfg(test)]
    if !FENCED.get() {
        return;
    }
    atomic::fence(Ordering::SeqCst);
}
