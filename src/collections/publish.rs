//! The fence between a publication and a look, and the list of all places that need it.
//!
//! Two threads each write one word and then read the word of the other. At least one of them must see
//! what the other has written, or a wake is lost. Release and acquire do not promise that: both reads
//! may be served before either write is visible (store buffering). A sequentially consistent fence
//! between the write and the read, **on both sides**, does.
//!
//! | pair | one side writes, then looks | the other side writes, then looks |
//! |---|---|---|
//! | a message and a sleep | [`Inbox::push`] appends, then [`Inbox::claim_wake`] asks whether the reader sleeps | [`Inbox::announce_sleep`] says that it sleeps, then looks for messages |
//! | the last handle and a deadlock | [`Token::release`] lowers the count, then `claim_wake` | `announce_sleep`, then `Scheduler::outsiders_may_wake` reads the counts |
//! | the last other handle of a shared channel, the last foreign holder of a lock, and a deadlock | the count is lowered, then `Mailbox::nudge` calls `claim_wake` | `announce_sleep`, then `OutsideWait::others_exist` |
//! | a kill request and the opening of the poller | `KillRequest::ask` sets its flag, then `Bed::call` looks for a poller to wake | `Bed::open` publishes the poller, then the next turn looks at the flag |
//! | a message and the opening of the poller | `push` claims the wake, then `Bed::call` looks for a poller | the poller is opened before `announce_sleep`, whose announcement the claim has read: ordered by that alone |
//!
//! Each pair calls [`fence`]; the models in `sched/tests/publish.rs`, which run the real types, count lost
//! wakes under Miri. Each runs once more without the fences, and must lose some then (`.ci/miri`).
//!
//! [`Inbox::push`]: crate::collections::inbox::Inbox::push
//! [`Inbox::claim_wake`]: crate::collections::inbox::Inbox::claim_wake
//! [`Inbox::announce_sleep`]: crate::collections::inbox::Inbox::announce_sleep
//! [`Token::release`]: crate::fiber::token::Token::release

#![forbid(unsafe_code)]

use std::sync::atomic::{self, Ordering};

#[cfg(test)]
thread_local! {
    /// Whether the fences of this thread are there. The models take them out to show what they are for.
    pub(crate) static FENCED: std::cell::Cell<bool> = const { std::cell::Cell::new(true) };
}

/// Stands between what this thread has published and what it looks at next.
#[inline(always)]
pub(crate) fn fence() {
    #[cfg(test)]
    if !FENCED.get() {
        return;
    }
    atomic::fence(Ordering::SeqCst);
}
