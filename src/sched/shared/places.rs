//! The places of the schedulers of the process: numbers of 16 bits, with which a waker finds a
//! mailbox.
//!
//! ```text
//!   chunk 0: 64 places   chunk 1: 128   chunk 2: 256   ...   allocated when first taken
//!
//!   place = [ marks: the tasks whose wake is in the mail ]  [ lock: the mailbox ]
//!   wake:     mark --> was it marked? -- yes --> done, without a lock
//!                              \__ no --> lock --> post
//! ```
//!
//! Invariants:
//! - A place has one scheduler at a time. It is used again after that one has left it, so a waker
//!   of an earlier scheduler may find the mailbox of a later one. (The number of a scheduler is
//!   never used again, but has too many bits for a waker.)
//! - A place never moves, and finding one takes no lock. The lock of a place is taken only by its
//!   users.
//! - A task that is marked has a wake in the mail of the scheduler at that place, or the thread
//!   that has marked it is about to post one. A scheduler that takes the place removes the marks
//!   under the lock: what was marked before may have been posted to another scheduler, or to none;
//!   what is marked after that is posted to this one, because posting takes the lock, too.
//! - There are at most twice as many places as the most schedulers that existed at the same time.

#![forbid(unsafe_code)]

use std::sync::{Arc, Mutex, OnceLock};

use crate::collections::locked::locked;
use crate::collections::marks::{Mark, Marks};
use crate::sched::shared::mailbox::{Mail, Mailbox, TaskId};

/// The number of places in the first chunk. A power of two.
const FIRST: usize = 64;
/// The number of chunks, enough for all numbers of 16 bits.
const CHUNKS: usize = 11;

/// One place.
#[derive(Debug)]
struct Place {
    tasks: Marks,
    mailbox: Mutex<Option<Arc<Mailbox>>>,
}

static PLACES: [OnceLock<Box<[Place]>>; CHUNKS] = [const { OnceLock::new() }; CHUNKS];
static FREE: Mutex<Free> = Mutex::new(Free::new());

/// The places without a scheduler.
#[derive(Debug)]
struct Free {
    /// Places that schedulers have left.
    left: Vec<u16>,
    /// The first place that was never taken, if there is one.
    next: Option<u16>,
}

impl Free {
    const fn new() -> Free {
        Free { left: Vec::new(), next: Some(0) }
    }

    fn take(&mut self) -> Option<u16> {
        self.left.pop().or_else(|| {
            let taken = self.next?;
            self.next = taken.checked_add(1);
            Some(taken)
        })
    }
}

/// Takes a place for a scheduler with this mailbox. Returns `None` if all places are taken.
pub(crate) fn take(mailbox: &Arc<Mailbox>) -> Option<u16> {
    let taken = locked(&FREE).take()?;
    let (chunk, at) = locate(taken);
    let places = PLACES[chunk].get_or_init(|| (0..FIRST << chunk).map(|_| Place::new()).collect());
    places[at].settle(mailbox);
    Some(taken)
}

/// Gives back a place that was taken.
pub(crate) fn leave(place: u16) {
    let mailbox = of(place).and_then(|place| locked(&place.mailbox).take());
    locked(&FREE).left.push(place);
    // This may be the last reference, and both locks are released.
    drop(mailbox);
}

/// Posts a wake of `task` to the scheduler that has that place, if one has, unless its inbox
/// already holds one.
pub(crate) fn wake_task(place: u16, task: TaskId) {
    if let Some(place) = of(place) {
        place.wake_task(task);
    }
}

/// Removes the mark of the task with that index, whose wake is delivered, and returns it. For the
/// scheduler that has the place.
pub(crate) fn take_mark(place: u16, index: u32) -> Option<Mark> {
    of(place)?.tasks.take(index)
}

impl Place {
    fn new() -> Place {
        Place { tasks: Marks::new(), mailbox: Mutex::new(None) }
    }

    /// Gives the place to the scheduler with this mailbox.
    fn settle(&self, mailbox: &Arc<Mailbox>) {
        let mut settled = locked(&self.mailbox);
        self.tasks.clear();
        *settled = Some(mailbox.clone());
    }

    fn wake_task(&self, task: TaskId) {
        if !self.tasks.mark(task.index, task.generation) {
            return;
        }
        let settled = locked(&self.mailbox);
        let Some(mailbox) = &*settled else { return };
        if mailbox.post_without_wake(Mail::WakeTask(task.index)) {
            let mailbox = mailbox.clone();
            // Waking a thread takes long.
            drop(settled);
            mailbox.wake();
        }
    }
}

fn of(place: u16) -> Option<&'static Place> {
    let (chunk, at) = locate(place);
    PLACES[chunk].get().map(|places| &places[at])
}

/// Returns the chunk of a place, and its index in that chunk.
fn locate(place: u16) -> (usize, usize) {
    let shifted = usize::from(place) + FIRST;
    let chunk = (shifted.ilog2() - FIRST.ilog2()) as usize;
    (chunk, shifted - (FIRST << chunk))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_neighbours_are_neighbours() {
        assert_eq!([0, 63, 64, 191, 192].map(locate), [(0, 0), (0, 63), (1, 0), (1, 127), (2, 0)]);
        assert_eq!(locate(u16::MAX), (CHUNKS - 1, 63));
    }

    #[test]
    fn a_place_that_was_left_is_taken_again_before_a_new_one() {
        let mut free = Free::new();
        assert_eq!((free.take(), free.take()), (Some(0), Some(1)));
        free.left.push(0);
        assert_eq!((free.take(), free.take()), (Some(0), Some(2)));
    }

    #[test]
    fn there_are_as_many_places_as_numbers_of_16_bits() {
        let mut free = Free::new();
        let taken = std::iter::from_fn(|| free.take()).count();
        assert_eq!((taken, free.take()), (1 << 16, None));
    }
}
