//! Snapshots of fibers, read from their records.

use std::time::Duration;

use crate::fiber::borrowed_stack;
use crate::fiber::current;
use crate::fiber::header::Header;
use crate::fiber::snapshot::{Activity, FiberSnapshot};
use crate::fiber::state::{State, WaitReason};

impl Activity {
    /// Returns the activity of the fiber of `header`; `None` if it has ended.
    pub(crate) fn of(header: &Header) -> Option<Activity> {
        let runs = || current::fiber().is_some_and(|fiber| std::ptr::eq(&raw const *fiber, header));
        match header.state.get() {
            State::New => Some(Activity::NotStarted),
            State::Runnable if runs() => Some(Activity::Running),
            State::Runnable => Some(Activity::Runnable),
            State::Parked | State::Paused => Some(Activity::Waiting(header.reason.get().text)),
            State::Abandoned => Some(Activity::Abandoned),
            State::Finished => None,
        }
    }
}

impl FiberSnapshot {
    /// Returns a snapshot of the fiber of `header`. `now` is in milliseconds since the scheduler's
    /// start, like the header's own mark.
    pub(crate) fn of(header: &Header, now: u32) -> FiberSnapshot {
        // A snapshot contains no fiber that has ended, except the one that ends at that moment.
        let activity = Activity::of(header).unwrap_or(Activity::Running);
        let waits = matches!(header.state.get(), State::Parked | State::Paused);
        FiberSnapshot {
            id: header.id(),
            name: header.peek_extra(|extra| extra.name.clone()).flatten(),
            activity,
            kill_pending: header.killed.get() && activity != Activity::Abandoned,
            waits_for: Vec::new(),
            held_by: None,
            location: header.location.get(),
            spawned_at: header.spawned_at,
            parent: header.parent(),
            has_waited: header.reason.get().text != WaitReason::NOT_STARTED.text,
            waiting_for: waits
                .then(|| Duration::from_millis(now.wrapping_sub(header.since.get()).into())),
            ends_in: None,
            stack_used: header.context.stack_used(own_mark(header)),
            stack_size: header.class.bytes(),
            #[cfg(feature = "diagnostics")]
            stack: None,
        }
    }
}

/// Returns an address near the stack pointer on the fiber's own stack. A fiber that waits in a
/// generator or in a call on a borrowed stack was suspended on that stack, and not on its own.
fn own_mark(header: &Header) -> usize {
    if let Some(mark) = borrowed_stack::own_mark(header) {
        return mark;
    }
    let in_coroutine = header.peek_extra(|extra| {
        extra
            .frame
            .as_ref()
            .filter(|frame| frame.runs_coroutine())
            .map(|frame| frame.own_mark.get())
    });
    in_coroutine.flatten().unwrap_or(header.sp_mark.get())
}
