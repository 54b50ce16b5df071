//! Taking snapshots of fibers: reads their records.

use std::time::Duration;

use crate::fiber::borrowed_stack;
use crate::fiber::current;
use crate::fiber::header::Header;
use crate::fiber::snapshot::{Activity, FiberSnapshot};
use crate::fiber::state::{State, WaitReason};

impl Activity {
    /// What the fiber of `header` is doing; none if it has ended.
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
    /// `now` is in milliseconds since the scheduler's start, as is the header's own mark.
    pub(crate) fn of(header: &Header, now: u32) -> FiberSnapshot {
        // One that has ended is not in a picture, but for the moment in which it does.
        let activity = Activity::of(header).unwrap_or(Activity::Running);
        let waits = matches!(header.state.get(), State::Parked | State::Paused);
        FiberSnapshot {
            id: header.id(),
            name: header.peek_extra(|extra| extra.name.clone()).flatten(),
            activity,
            held_by: None,
            location: header.location.get(),
            has_waited: header.reason.get().text != WaitReason::NOT_STARTED.text,
            waiting_for: waits
                .then(|| Duration::from_millis(now.wrapping_sub(header.since.get()).into())),
            stack_used: header.context.stack_used(own_mark(header)),
            stack_size: header.class.bytes(),
        }
    }
}

/// An address near the stack pointer on the fiber's own stack. A fiber that waits in a generator has
/// been suspended on that one's, and one that waits on a borrowed stack on that.
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
